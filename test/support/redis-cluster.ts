// A Redis Cluster of three masters without replicas, all slots covered.
import type { Redis } from "ioredis";
import { freePort } from "./ports.js";
import { type RedisServer, startRedis } from "./redis.js";
import { until } from "./wait.js";

const NODES = 3;
const SLOTS = 16_384;

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** For ioredis' `Cluster`. */
  readonly startupNodes: readonly { host: string; port: number }[];
  close(): Promise<void>;
}

/** Starts the nodes, joins them, and waits until each sees the whole cluster. Ended after the test file at the latest. */
export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: NODES }, startNode));
  const clients = nodes.map((node) => node.client());
  await Promise.all(clients.map(assignSlots));
  await meet(clients, nodes);
  await Promise.all(clients.map((client) => until(() => isWhole(client), "the cluster does not come together")));
  for (const client of clients) client.disconnect();
  return {
    nodes,
    startupNodes: nodes.map(({ host, port }) => ({ host, port })),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

async function startNode(): Promise<RedisServer> {
  // Not the default of 10,000 above the port, which might be taken.
  const busPort = await freePort();
  const timeout = ["--cluster-node-timeout", "2000"];
  return startRedis({ arguments: ["--cluster-enabled", "yes", "--cluster-port", String(busPort), ...timeout] });
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

async function isWhole(client: Redis): Promise<boolean> {
  const info = (await client.call("CLUSTER", "INFO")) as string;
  const slots = (await client.call("CLUSTER", "SLOTS")) as unknown[];
  return (
    /cluster_state:ok/.test(info) && new RegExp(`cluster_known_nodes:${NODES}\\b`).test(info) && slots.length === NODES
  );
}
