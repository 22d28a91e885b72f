/** Where the servers are, as ioredis knows it: one server, the master that sentinels name, or the masters of a Cluster. */
import type { Cluster, Redis } from "ioredis";
import type { Address, NodeSource } from "./backplane.js";

/** The servers that a client writes to, asked anew each time: failovers and resharding change them. */
export function nodesOf(client: Redis | Cluster): NodeSource {
  return { nodes: () => (isCluster(client) ? client.nodes("master") : [client]).flatMap(addressOf) };
}

function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

function addressOf({ options, stream }: Redis): Address[] {
  const { username, password, db: database, tls } = options;
  const access = { username: username ?? undefined, password: password ?? undefined, database, tls };
  if (options.path) return [{ path: options.path, ...access }];
  if (!options.sentinels) return [{ host: options.host, port: options.port, ...access }];
  // Which of the servers is the master is known only from the connection itself.
  const { remoteAddress: host, remotePort: port } = (stream ?? {}) as { remoteAddress?: string; remotePort?: number };
  return host === undefined ? [] : [{ host, port, ...access }];
}

/** Two addresses of the same server have the same name. */
export function nameOf({ host, port, path }: Address): string {
  return path ?? `${host}:${port}`;
}
