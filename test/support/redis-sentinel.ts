// A master, its replica, and the sentinels that watch them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { freePort } from "../../scripts/lib/ports.mjs";
import { RedisServer, startRedis } from "./redis.js";
import { until } from "./wait.js";

const NAME = "nearcache-test";
/** After so long without an answer a sentinel takes a server for down. */
const DOWN_AFTER_MS = 500;

export interface RedisSentinels {
  /** The name by which clients ask for the master. */
  readonly name: string;
  /** The first master; after a failover it is the replica. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
  /** The port of whom the sentinels take for the master now. */
  masterPort(): Promise<number>;
  close(): Promise<void>;
}

/** Starts everything and waits until every sentinel knows both servers and the others. One sentinel comes up fastest. */
export async function startSentinels(count = 1): Promise<RedisSentinels> {
  const master = await startRedis();
  const replica = await startRedis({ arguments: ["--replicaof", master.host, String(master.port)] });
  const onReplica = replica.client();
  await until(
    async () => (await onReplica.info("replication")).includes("master_link_status:up"),
    "the replica does not reach its master",
  );
  const quorum = Math.floor(count / 2) + 1;
  const sentinels: RedisServer[] = [];
  for (let i = 0; i < count; i++) {
    sentinels.push(await startSentinel(master, quorum));
  }
  const clients = sentinels.map((sentinel) => sentinel.client({ enableReadyCheck: false }));
  await Promise.all(
    clients.map((client) => until(() => knowsAll(client, count), "a sentinel does not know the others")),
  );
  return {
    name: NAME,
    master,
    replica,
    sentinels,
    masterPort: async () => {
      const address = await clients[0]?.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME);
      return Number((address as [string, string])[1]);
    },
    close: async () => {
      await Promise.all([...sentinels, replica, master].map((server) => server.close()));
    },
  };
}

/** A sentinel rewrites the file it was started with. */
async function startSentinel(master: RedisServer, quorum: number): Promise<RedisServer> {
  const file = "sentinel.conf";
  const server = new RedisServer(await freePort(), { configurationFile: file });
  const lines = [
    `port ${server.port}`,
    `bind ${server.host}`,
    "protected-mode no",
    `dir ${server.folder}`,
    `sentinel monitor ${NAME} ${master.host} ${master.port} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 5000`,
  ];
  writeFileSync(join(server.folder, file), `${lines.join("\n")}\n`);
  await server.start();
  return server;
}

async function knowsAll(client: Redis, count: number): Promise<boolean> {
  const master = pairs((await client.call("SENTINEL", "MASTER", NAME)) as string[] | Record<string, string>);
  return master.get("num-slaves") === "1" && master.get("num-other-sentinels") === String(count - 1);
}

function pairs(reply: string[] | Record<string, string>): Map<string, string> {
  if (!Array.isArray(reply)) return new Map(Object.entries(reply));
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < reply.length; i += 2) {
    found.set(reply[i] as string, reply[i + 1] as string);
  }
  return found;
}
