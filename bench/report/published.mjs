// The published figures of a commercial product, which stand beside ours in the report. They are its maker's: nobody
// here has measured them, on machines that are not ours, and what was timed can only be told from what is written there.

export const PUBLISHED = {
  name: "cachee.ai",
  about: "Published by its maker. Not measured by us; other machines, other loads, and the timer is not described.",
  /** `ns` or `perSecond`, what it is said to be, and the name of the figure of ours that comes nearest. */
  figures: [
    { what: "L0 read, p50", ns: 28.9, said: "inside its engine, on an Apple M4 Max", ours: "l0-p50" },
    { what: "L0 read, p95", ns: 45, said: "inside its engine, on an Apple M4 Max", ours: "l0-p95" },
    { what: "L0 read, p99", ns: 80, said: "inside its engine, on an Apple M4 Max", ours: "l0-p99" },
    { what: "L0 read, p99.9", ns: 150, said: "inside its engine, on an Apple M4 Max", ours: "l0-p999" },
    { what: "L1 read", ns: 89, said: "inside its engine, on AWS Graviton4", ours: "l1" },
    { what: "Redis, p50", ns: 85_000, said: "about; over the network, in the same zone", ours: "redis-p50" },
    { what: "Redis, p95", ns: 140_000, said: "about; over the network, in the same zone", ours: "redis-p95" },
    { what: "Redis, p99", ns: 280_000, said: "about; over the network, in the same zone", ours: "redis-p99" },
    { what: "Redis, p99.9", ns: 1_200_000, said: "about; over the network, in the same zone", ours: "redis-p999" },
    { what: "reads on one thread", perSecond: 32e6, said: "inside its engine", ours: "rate-one" },
    { what: "operations with 16 workers", perSecond: 7.41e6, said: "16 workers together", ours: "rate-all" },
  ],
};
