// Backplanes for one test, closed after it, and a host that writes down what they tell.
import { Redis } from "ioredis";
import { afterEach } from "vitest";
import type {
  Address,
  Backplane,
  BackplaneHost,
  BackplaneOptions,
  BackplaneSettings,
} from "../../ts/redis/backplane/backplane.js";
import { createBackplane } from "../../ts/redis/backplane/create.js";
import type { TierEvent } from "../../ts/tier.js";
import type { RedisServer } from "./redis.js";
import { until } from "./wait.js";

export const PREFIX = "app:";
const ENTRY = Buffer.from(`${PREFIX}v:`);

const open: { backplane: Backplane; client: Redis | undefined }[] = [];

afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async ({ backplane, client }) => {
      client?.disconnect();
      await backplane.close();
    }),
  );
});

/** The name in Redis of an entry with this key. */
export const entryName = (key: string): string => `${PREFIX}v:${key}`;

/** Keys are bytes here, as latin1, so that binary names can be told apart. */
function keyOf(name: Buffer): string | undefined {
  return name.subarray(0, ENTRY.length).equals(ENTRY) ? name.toString("latin1", ENTRY.length) : undefined;
}

/** What a backplane has told, in order. */
export class RecordingHost implements BackplaneHost {
  readonly keys: string[] = [];
  readonly tags: string[] = [];
  readonly versions: number[] = [];
  readonly events: TierEvent[] = [];
  allCount = 0;

  invalidate(keys: readonly string[]): void {
    // Not by spreading: there may be more than a call can have arguments.
    for (const key of keys) this.keys.push(key);
  }

  invalidateTags(tags: readonly string[]): void {
    this.tags.push(...tags);
  }

  invalidateAll(): void {
    this.allCount++;
  }

  versionChanged(version: number): void {
    this.versions.push(version);
  }

  report(event: TierEvent): void {
    this.events.push(event);
  }

  /** The modes that were reported, as in `ttl-only>tracking`. */
  get modes(): string[] {
    return this.events.flatMap((event) => (event.type === "coherence" ? [`${event.from}>${event.to}`] : []));
  }

  get errors(): string[] {
    return this.events.flatMap((event) => (event.type === "error" ? [event.error.message] : []));
  }
}

export interface TestBackplane {
  /** What it publishes with, unless the test brought something else. */
  readonly client: Redis | undefined;
  readonly backplane: Backplane;
  readonly host: RecordingHost;
}

export type TestOptions = Partial<Omit<BackplaneOptions, "settings">> & {
  /** Where it listens, if not at the server itself. */
  readonly address?: Address;
  readonly settings?: Partial<BackplaneSettings>;
};

/** A backplane that listens and publishes; not started. */
export function newBackplane(server: RedisServer, options: TestOptions = {}): TestBackplane {
  const { address = addressOf(server), settings, ...rest } = options;
  const client = rest.commands ? undefined : dataClient(server);
  const backplane = createBackplane({
    mode: "auto",
    prefix: PREFIX,
    entryPrefix: ENTRY.toString(),
    keyOf,
    nodes: { nodes: () => [address] },
    commands: client ?? { call: () => Promise.reject(new Error("none")) },
    settings: { pingMs: 50, ...settings },
    ...rest,
  });
  open.push({ backplane, client });
  return { backplane, client, host: new RecordingHost() };
}

/** Started, and told to be coherent in some way. */
export async function startBackplane(server: RedisServer, options: TestOptions = {}): Promise<TestBackplane> {
  const started = newBackplane(server, options);
  started.backplane.start(started.host);
  await until(() => started.backplane.coherence !== "ttl-only", "the backplane does not come into force");
  await until(() => !started.client || started.client.status === "ready", "the client does not connect");
  return started;
}

export function addressOf(server: RedisServer): Address {
  const tls = server.certificate && { ca: server.certificate.pem };
  return { host: server.host, port: server.port, ...(tls && { tls }) };
}

/** A client that fails fast, as the tier's does. */
function dataClient(server: RedisServer): Redis {
  const client = new Redis({
    ...server.clientOptions(),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 2_000,
    retryStrategy: () => 20,
  });
  client.on("error", () => undefined);
  return client;
}
