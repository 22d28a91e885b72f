// One of two threads that take turns; see coherence.test.ts. `control` holds whose turn it is, and the command.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, control, keys } = workerData;
const TURN = 0;
const COMMAND = 1;
const KEY = 2;
const NUMBER = 3;
const cache = createCache({ name, maxMemory: "16mb", ttl: "10m" });

/** Reads until two reads give the same object, which only L0 does. */
function takeIntoL0(key) {
  for (let i = 0; i < 1_000; i++) {
    const value = cache.get(key);
    if (value !== undefined && value === cache.get(key)) return 1;
  }
  return 0;
}

/** The number that a single read finds, -1 for none. */
const readOnce = (key) => cache.get(key)?.number ?? -1;

/** Reads L1, then through L0: 1 if L0 still had what L1 had no more. */
function readBoth(key) {
  const inStore = cache.peek(key);
  const read = cache.get(key);
  if (inStore === undefined && read !== undefined) return 1;
  return read === undefined ? 2 : 0;
}

const COMMANDS = { 1: takeIntoL0, 2: readOnce, 3: readBoth };

parentPort.postMessage("ready");
for (;;) {
  while (Atomics.load(control, TURN) === 0) Atomics.wait(control, TURN, 0);
  const command = control[COMMAND];
  if (command === 0) break;
  control[NUMBER] = COMMANDS[command](keys[control[KEY]]);
  Atomics.store(control, TURN, 0);
  Atomics.notify(control, TURN);
}
parentPort.postMessage(cache.stats().l0.hits);
cache.close();
