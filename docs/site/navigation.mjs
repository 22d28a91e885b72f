// The order in which pages are read: the left-hand side of the site. Every Markdown file in docs/ has to be here; decisions
// are by themselves.
// `page` is the address, where it is not that of the file within docs/.

import { readdirSync, readFileSync } from "node:fs";

const DECISIONS = new URL("../decisions/", import.meta.url);

const document = (title, name) => ({ title, file: `docs/${name}.md` });

export const navigation = [
  {
    text: "Start",
    pages: [
      { title: "What nearcache is", file: "README.md", page: "index.md" },
      { title: "The guide", file: "docs/README.md", page: "guide.md" },
      document("Getting started", "getting-started"),
      document("When not to use nearcache", "when-not-to-use"),
      document("Installing", "installing"),
      document("Platforms", "platforms"),
    ],
  },
  {
    text: "Guide",
    pages: [
      document("What to expect of the API", "api"),
      document("Memory and eviction", "memory"),
      document("Values", "values"),
      document("Threads", "threads"),
      document("Loading", "loading"),
      document("Invalidation", "invalidation"),
      document("Keys and scopes", "keys-and-scopes"),
      document("Writing", "writing"),
      document("Redis as the second tier", "redis"),
      document("Coherence between processes", "coherence"),
      document("Adapters", "adapters"),
      document("Metrics", "metrics"),
      document("Testing", "testing"),
      document("When something is wrong", "troubleshooting"),
    ],
  },
  {
    text: "Coming from",
    pages: [
      document("lru-cache", "migrating/lru-cache"),
      document("node-cache", "migrating/node-cache"),
      document("cache-manager", "migrating/cache-manager"),
      document("plain ioredis", "migrating/ioredis"),
    ],
  },
  {
    text: "Figures",
    pages: [
      document("How to read the benchmarks", "reading-benchmarks"),
      document("Benchmarks", "benchmarks"),
      document("Hit ratio and sizing", "hit-ratio"),
    ],
  },
  {
    text: "Project",
    isFolded: true,
    pages: [
      { title: "Changelog", file: "CHANGELOG.md", page: "changelog.md" },
      { title: "Architecture", file: "ARCHITECTURE.md", page: "architecture.md" },
      { title: "The engine", file: "crates/engine/DESIGN.md", page: "engine.md" },
      { title: "Working on it", file: "CONTRIBUTING.md", page: "contributing.md" },
      { title: "Security", file: "SECURITY.md", page: "security.md" },
      document("Dependencies", "dependencies"),
    ],
  },
  {
    text: "Decisions",
    isFolded: true,
    pages: decisions(),
  },
  {
    text: "Tables",
    isFolded: true,
    pages: [{ title: "Hit ratios", file: "bench/results/2026-11-26-hitratio.md", page: "results/hitratio.md" }],
  },
];

/** In the order of their numbers, with their headings less the zeros. */
function decisions() {
  const files = readdirSync(DECISIONS).filter((file) => file.endsWith(".md"));
  return files.sort().map((file) => {
    const heading = readFileSync(new URL(file, DECISIONS), "utf8").match(/^# 0*(.+)$/m)?.[1] ?? file;
    return document(heading, `decisions/${file.slice(0, -".md".length)}`);
  });
}
