// The order in which pages are read: the left-hand side of the site. Every Markdown file in docs/ has to be here.
// `page` is the address, where it is not that of the file within docs/.

const document = (title, name) => ({ title, file: `docs/${name}.md` });

export const navigation = [
  {
    text: "Start",
    pages: [
      { title: "What nearcache is", file: "README.md", page: "index.md" },
      { title: "The guide", file: "docs/README.md", page: "guide.md" },
      document("Getting started", "getting-started"),
      document("When not to use nearcache", "when-not-to-use"),
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
    pages: [
      document("1 Structure of the engine", "decisions/0001-engine-structure"),
      document("2 Codec", "decisions/0002-codec"),
      document("3 Repair", "decisions/0003-repair"),
      document("4 Hot paths", "decisions/0004-hot-paths"),
      document("5 Policy", "decisions/0005-policy"),
      document("6 Capacities of replays", "decisions/0006-replay-capacities"),
      document("7 A single thread", "decisions/0007-alone"),
      document("8 Compression", "decisions/0008-compression"),
      document("9 Reused slots", "decisions/0009-reused-slots"),
    ],
  },
  {
    text: "Tables",
    isFolded: true,
    pages: [
      { title: "Hit ratios", file: "bench/results/2026-11-24-hitratio.md", page: "results/hitratio.md" },
      {
        title: "Hit ratios of libraries",
        file: "bench/results/2026-11-24-hitratio-libraries.md",
        page: "results/hitratio-libraries.md",
      },
    ],
  },
];
