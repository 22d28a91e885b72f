// A process that asks for a key many times at once, by way of Redis; see cache.test.ts. Told what to do by messages.
import { createCache } from "nearcache";
import { redisTier } from "nearcache/redis";

const { url, prefix } = JSON.parse(process.argv[2]);
const tier = redisTier({ url, prefix, commandTimeout: "10s", connectTimeout: "10s" });
const cache = createCache({ maxMemory: "16mb", ttl: "10m", l2: tier, singleFlight: { lease: "60s" } });
let finish = () => {};

const loader = () => {
  process.send({ loading: true });
  return new Promise((resolve) => {
    finish = resolve;
  });
};

const COMMANDS = {
  // The connection comes up with the first question.
  async warmUp() {
    await cache.getOrLoad(`warm-up:${process.pid}`, () => "warm");
    process.send({ warm: true });
  },
  async ask({ key, times }) {
    const waiting = Array.from({ length: times }, () => cache.getOrLoad(key, loader));
    process.send({ asked: true });
    process.send({ got: await Promise.all(waiting) });
  },
  resolve: ({ value }) => finish(value),
  close() {
    cache.close();
    process.disconnect();
  },
};

process.on("message", ({ command, ...rest }) => COMMANDS[command](rest));
process.send({ ready: true });
