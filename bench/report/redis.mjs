// The part about Redis: a read of nearcache beside one of a redis-server on this machine, over the loopback interface and
// over a Unix socket. No network between them: what a Redis in the same zone takes is more.
import { runApart } from "../lib/apart.mjs";

export function redis(pace) {
  return runApart(new URL("redis-process.mjs", import.meta.url), { pace: pace.redis }, "Redis");
}
