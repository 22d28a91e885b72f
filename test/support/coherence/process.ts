// One of the processes of the proof of coherence: reads keys at random, and writes some if it is the writer, until it is told
// to stop. See ../../redis/coherence.test.ts.
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { Random } from "../random.js";
import { CacheOverRedis, type CoherentCache, MapOverRedis } from "./cache.js";
import { History } from "./history.js";
import type { Order, Report, Role } from "./messages.js";

/** Reads between two turns of the event loop: as a service that answers several requests at once. */
const READS_PER_TURN = 20;
/** Far more than any machine needs, and still an end. */
const CONVERGE_MS_MAX = 20_000;

const role = JSON.parse(process.argv[2] as string) as Role;
const random = new Random(role.seed);
const history = new History(role.keyCount);
const Cache = role.kind === "cache" ? CacheOverRedis : MapOverRedis;
const cache: CoherentCache = new Cache(role.mode, role.port);
let reads = 0;
let hits = 0;
let isRunning = false;
/** The writer's: which key each value was meant for, and what was stored last for certain. */
const attempts: [value: number, key: number][] = [];
/** What it tried to write and does not know to be written: it may see it, and nobody else ever. */
const doubtful = new Set<number>();
const stored = new Array<number>(role.keyCount).fill(0);

async function read(key: number): Promise<number | undefined> {
  const found = cache.get(`key ${key}`);
  reads++;
  if (typeof found === "number") hits++;
  const value = await found;
  if (value !== undefined && !doubtful.has(value)) history.saw(key, value);
  return value;
}

async function readOn(): Promise<void> {
  while (isRunning) {
    await Promise.all(Array.from({ length: READS_PER_TURN }, () => read(random.below(role.keyCount))));
    await turn();
  }
}

/** Where the outcome is not known, the key gets another value, until one is there for certain. */
async function write(key: number): Promise<void> {
  for (let isStored = false; !isStored; ) {
    const value = attempts.push([attempts.length + 1, key]);
    doubtful.add(value);
    isStored = await cache.set(`key ${key}`, value).then(
      () => true,
      () => pause(10, false),
    );
    if (isStored) {
      stored[key] = value;
      doubtful.delete(value);
      history.saw(key, value);
    }
  }
}

async function writeOn(): Promise<void> {
  while (isRunning) {
    await write(random.below(role.keyCount));
    if (random.next() < 0.1) await turn();
  }
}

async function converge(expected: readonly number[]): Promise<boolean> {
  const started = performance.now();
  for (;;) {
    // At once, as keys that are not there cost a round trip each.
    const values = await Promise.all(expected.map((_, key) => read(key)));
    if (values.every((value, key) => (value ?? 0) === expected[key])) return true;
    if (performance.now() - started > CONVERGE_MS_MAX) return false;
    await pause(5);
  }
}

let work: Promise<unknown> = Promise.resolve();

async function obey(order: Order): Promise<void> {
  if (order.type === "fill") {
    for (let key = 0; key < role.keyCount; key++) await write(key);
    tell({ type: "stopped", expected: stored });
  } else if (order.type === "run") {
    isRunning = true;
    work = Promise.all([readOn(), ...(role.isWriter ? [writeOn()] : [])]);
  } else if (order.type === "stop") {
    isRunning = false;
    await work;
    tell({ type: "stopped", expected: stored });
  } else if (order.type === "converge") {
    tell({ type: "converged", hasConverged: await converge(order.expected) });
  } else {
    tell({ type: "told", attempts, pairs: history.pairs, reads, hits, gaps: cache.gaps() });
  }
}

function tell(report: Report): void {
  process.send?.(report);
}

process.on("message", (order: Order) => void obey(order));
process.on("disconnect", () => process.exit());
while (cache.coherence() !== role.mode) await pause(5);
tell({ type: "ready" });
