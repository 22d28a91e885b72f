// A Redis Cluster of three masters, all slots covered; with replicas if a test wants to see one take over.
import type { Redis } from "ioredis";
import { freePort } from "../../scripts/lib/ports.mjs";
import { type RedisServer, startRedis } from "./redis.js";
import { until } from "./wait.js";

const NODES = 3;
const SLOTS = 16_384;

export interface RedisClusterOptions {
  /** How many of the masters have a replica: the first ones. */
  readonly replicas?: number;
  /** After so long without an answer the others take a node for gone. */
  readonly nodeTimeoutMs?: number;
}

export interface RedisCluster {
  /** The masters, each with a third of the slots, in order. */
  readonly nodes: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  /** For ioredis' `Cluster`. */
  readonly startupNodes: readonly { host: string; port: number }[];
  close(): Promise<void>;
}

/** Starts the nodes, joins them, and waits until each sees the whole cluster. Ended after the test file at the latest. */
export async function startCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { replicas: replicaCount = 0, nodeTimeoutMs = 2_000 } = options;
  const all = await Promise.all(Array.from({ length: NODES + replicaCount }, () => startNode(nodeTimeoutMs)));
  const clients = all.map((node) => node.client());
  await Promise.all(clients.slice(0, NODES).map(assignSlots));
  await meet(clients, all);
  const isJoined = (client: Redis) => isWhole(client, all.length);
  await Promise.all(clients.map((client) => until(() => isJoined(client), "the cluster does not come together")));
  await Promise.all(clients.slice(NODES).map((client, index) => replicate(client, clients[index] as Redis)));
  for (const client of clients) client.disconnect();
  const [nodes, replicas] = [all.slice(0, NODES), all.slice(NODES)];
  return {
    nodes,
    replicas,
    startupNodes: nodes.map(({ host, port }) => ({ host, port })),
    close: async () => {
      await Promise.all(all.map((node) => node.close()));
    },
  };
}

async function startNode(nodeTimeoutMs: number): Promise<RedisServer> {
  // Not the default of 10,000 above the port, which might be taken.
  const busPort = await freePort();
  const timeout = ["--cluster-node-timeout", String(nodeTimeoutMs)];
  return startRedis({ arguments: ["--cluster-enabled", "yes", "--cluster-port", String(busPort), ...timeout] });
}

/** Makes a node the replica of a master, and waits until it has its data and the master knows of it. */
async function replicate(client: Redis, master: Redis): Promise<void> {
  await client.call("CLUSTER", "REPLICATE", (await master.call("CLUSTER", "MYID")) as string);
  await until(
    async () =>
      (await client.info("replication")).includes("master_link_status:up") &&
      /slave0:.*state=online/.test(await master.info("replication")),
    "the replica does not reach its master",
  );
}

async function assignSlots(client: Redis, index: number): Promise<void> {
  const first = Math.ceil((SLOTS * index) / NODES);
  const last = Math.ceil((SLOTS * (index + 1)) / NODES) - 1;
  await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
  await client.call("CLUSTER", "ADDSLOTSRANGE", first, last);
}

async function meet(clients: readonly Redis[], nodes: readonly RedisServer[]): Promise<void> {
  for (const node of nodes.slice(1)) {
    const [, busPort] = (await node.client().config("GET", "cluster-port")) as [string, string];
    await clients[0]?.call("CLUSTER", "MEET", node.host, node.port, busPort);
  }
}

async function isWhole(client: Redis, count: number): Promise<boolean> {
  const info = (await client.call("CLUSTER", "INFO")) as string;
  const slots = (await client.call("CLUSTER", "SLOTS")) as unknown[];
  return (
    /cluster_state:ok/.test(info) && new RegExp(`cluster_known_nodes:${count}\\b`).test(info) && slots.length === NODES
  );
}
