// A process that opens backplanes, waits until each is in force, and ends without closing them.
import { Redis } from "ioredis";
import type { BackplaneHost } from "../../ts/redis/backplane/backplane.js";
import { createBackplane } from "../../ts/redis/backplane/create.js";

const port = Number(process.argv[2]);
const host: BackplaneHost = {
  invalidate: () => undefined,
  invalidateTags: () => undefined,
  invalidateAll: () => undefined,
  versionChanged: () => undefined,
  report: () => undefined,
};
const open = (mode: "tracking" | "stream", at = port) => {
  const commands = new Redis({ port, lazyConnect: true });
  const nodes = { nodes: () => [{ host: "127.0.0.1", port: at }] };
  const names = { prefix: "app:", entryPrefix: "app:v:", keyOf: () => undefined };
  const backplane = createBackplane({ mode, ...names, nodes, commands });
  backplane.start(host);
  return backplane;
};

const working = [open("tracking"), open("stream")];
// Nobody listens there: it goes on trying.
open("tracking", 1);
while (working.some(({ coherence }) => coherence === "ttl-only")) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
process.stdout.write(working.map(({ coherence }) => coherence).join(" "));
