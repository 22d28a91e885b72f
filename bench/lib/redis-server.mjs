// A redis-server of our own for a measurement: on a free port of the loopback interface and on a Unix socket.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { findRedis } from "../../scripts/lib/redis.mjs";

const ATTEMPTS = 100;
const ATTEMPT_MS = 50;

/** Resolves, once it answers, to `{ port, socket, process, stop() }`; throws what to install where there is none. */
export async function startRedis() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  const folder = mkdtempSync(join(tmpdir(), "nearcache-bench-redis-"));
  const socket = join(folder, "redis.sock");
  const options = ["--port", port, "--bind", "127.0.0.1", "--unixsocket", socket, "--save", "", "--dir", folder];
  const child = spawn(findRedis(), options.map(String), { stdio: "ignore" });
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  await answering(socket);
  return {
    port,
    socket,
    process: child,
    async stop() {
      process.off("exit", kill);
      const ended = once(child, "exit");
      kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answering(path) {
  const client = new Redis({ path, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  client.on("error", () => undefined); // while it starts there is nobody
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      await client.connect();
      client.disconnect();
      return;
    } catch {
      await sleep(ATTEMPT_MS);
    }
  }
  throw new Error(`redis-server didn't answer within ${(ATTEMPTS * ATTEMPT_MS) / 1000} s`);
}
