// `npm run bench:redis`: what the tier in Redis costs beside a bare ioredis, by turns in one process: a look-up of 100 bytes
// alone, 100 at once, a write; and what look-ups cost while Redis is frozen, until the breaker opens and after that.
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { redisTier } from "../dist/redis.js";
import { startRedis } from "./lib/redis-server.mjs";

const ROUNDS = 7;
const CALLS = 2_000;
const AT_ONCE = 100;
const FROZEN_CALLS = 200;

const redis = await startRedis();
const { port } = redis;
const client = new Redis(port, { enableAutoPipelining: true });
const url = `redis://127.0.0.1:${port}`;
const host = { invalidate() {}, invalidateTags() {}, invalidateAll() {}, report() {} };
// Patient where the machine is busy: what is measured is what answers cost.
const tier = redisTier({ url, coherence: "ttl-only", commandTimeout: "10s" });
const impatient = redisTier({ url, coherence: "ttl-only" });
tier.attach(host);
impatient.attach(host);
const bytes = Buffer.alloc(100, "x");
const entry = { kind: 1, bytes, freshMs: 600_000, liveMs: 600_000, loadMs: 1, tags: [] };
await sleep(200);
for (let i = 0; i < AT_ONCE; i++) {
  await tier.set(`k${i}`, entry, {});
  await tier.set(`tagged${i}`, { ...entry, tags: ["a", "b"] }, {});
  await client.set(`k${i}`, bytes);
}

/** Microseconds per call: that pass, and that this process works. */
async function time(calls, body) {
  const start = performance.now();
  const worked = process.cpuUsage();
  await body(calls);
  const { user, system } = process.cpuUsage(worked);
  return [((performance.now() - start) * 1000) / calls, (user + system) / calls];
}

const oneByOne = (call) => async (calls) => {
  for (let i = 0; i < calls; i++) await call(i % AT_ONCE);
};
const together = (call) => async (calls) => {
  for (let done = 0; done < calls; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => call(i)));
  }
};

const how = { leaseMs: 0 };
const rows = {
  "look-up, alone": [oneByOne((i) => client.getBuffer(`k${i}`)), oneByOne((i) => tier.get(`k${i}`, how))],
  "look-up, 100 at once": [together((i) => client.getBuffer(`k${i}`)), together((i) => tier.get(`k${i}`, how))],
  "look-up with two tags, 100 at once": [
    together((i) => client.getBuffer(`k${i}`)),
    together((i) => tier.get(`tagged${i}`, how)),
  ],
  "write, alone": [
    oneByOne((i) => client.set(`k${i}`, bytes, "PX", 600_000)),
    oneByOne((i) => tier.set(`k${i}`, entry, {})),
  ],
  "write, 100 at once": [
    together((i) => client.set(`k${i}`, bytes, "PX", 600_000)),
    together((i) => tier.set(`k${i}`, entry, {})),
  ],
};

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
/** Two medians: of what passes, and of what is worked. */
const show = (times) => [0, 1].map((at) => median(times.map((each) => each[at])).toFixed(1)).join(" (");
console.log(`Node.js ${process.version}, medians of ${ROUNDS} rounds, µs per call (of these, work of this process)`);
for (const [name, [bare, ours]] of Object.entries(rows)) {
  const [bareTimes, ourTimes] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    bareTimes.push(await time(CALLS, bare));
    ourTimes.push(await time(CALLS, ours));
  }
  console.log(`${name}: ioredis ${show(bareTimes)}), tier ${show(ourTimes)})`);
}

await impatient.get("k1", how);
redis.process.kill("SIGSTOP");
const waits = [];
for (let i = 0; i < FROZEN_CALLS; i++) {
  const start = performance.now();
  await impatient.get("k1", how);
  waits.push(performance.now() - start);
}
const before = waits.filter((ms) => ms > 10);
const after = waits.filter((ms) => ms <= 10);
console.log(`frozen: ${before.length} look-ups of ${before.map((ms) => ms.toFixed(0)).join(", ")} ms, then `);
console.log(
  `${after.length} of ${(median(after) * 1000).toFixed(1)} µs at the median (breaker ${impatient.stats().breaker})`,
);
redis.process.kill("SIGCONT");
await Promise.all([tier.close(), impatient.close()]);
client.disconnect();
await redis.stop();
