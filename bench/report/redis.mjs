// The part about Redis: a read of nearcache beside one of a redis-server on this machine, over the loopback interface and
// over a Unix socket. No network between them: what a Redis in the same zone takes is more.
import { findRedis } from "../../scripts/lib/redis.mjs";
import { runApart } from "../lib/apart.mjs";

/** Throws what to install where there is no redis-server. */
export function redis(pace) {
  findRedis();
  return runApart(new URL("redis-process.mjs", import.meta.url), { pace: pace.redis }, "Redis");
}
