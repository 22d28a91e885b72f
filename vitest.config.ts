// The suites in test/ run against the built addon, and their worker threads against dist/: `npm run build` comes first.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" },
    // A shared machine may be slow; a test that hangs is still told from one that waits.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
