// A process with a second tier behind Sentinels, whose ports are its arguments, that does one thing and has nothing to do then.
import { createCache } from "nearcache";
import { redisTier } from "nearcache/redis";

const sentinels = process.argv.slice(2).map((port) => ({ host: "127.0.0.1", port: Number(port) }));
const l2 = redisTier({ options: { sentinels, name: "nearcache-test" } });
const cache = createCache({ maxMemory: "16mb", ttl: "1m", l2 });
console.log(await cache.getOrLoad("key", () => "loaded"));
