/**
 * Listens to Sentinels for a new master. Where they depose one that still answers (in order, or because they could not
 * reach it), it goes on taking writes for some seconds, all of which are lost. So as soon as one of them says that the
 * master is another, the connection is made anew, and leads to that one.
 *
 * Sentinels that can't be reached are tried again and again, quietly: to connect to the master is not their business here.
 * Nothing of this keeps the process alive.
 */
import { Redis, type RedisOptions } from "ioredis";

/** More are not needed: any of them will do. */
const SENTINELS_MAX = 5;
const SENTINEL_PORT = 26_379;
const CHANNEL = "+switch-master";

export class SentinelWatch {
  readonly #sentinels: readonly Redis[];

  /**
   * `options` are those of the client that Sentinels lead to the master; `onSwitch`: that is another one now, of this
   * address. Each Sentinel says so by itself.
   */
  constructor(options: RedisOptions, onSwitch: (host: string, port: number) => void) {
    const addresses = options.sentinels?.slice(0, SENTINELS_MAX) ?? [];
    this.#sentinels = addresses.map((address) => {
      const sentinel = new Redis({ ...settingsOf(options), port: SENTINEL_PORT, ...address });
      sentinel.on("error", () => undefined);
      sentinel.on("connect", () => letGo(sentinel));
      sentinel.on("reconnecting", () => letGo(sentinel));
      sentinel.on("ready", () => void sentinel.subscribe(CHANNEL).catch(() => undefined));
      sentinel.on("message", (_, message) => {
        const [name, , , host, port] = message.split(" ");
        if (name === options.name && host !== undefined) {
          onSwitch(host, Number(port));
        }
      });
      return sentinel;
    });
  }

  close(): void {
    for (const sentinel of this.#sentinels) {
      sentinel.disconnect();
    }
  }
}

/** A sentinel takes no commands but its own: nothing may be asked of it at the start. */
function settingsOf(options: RedisOptions) {
  const { sentinelUsername, sentinelPassword, sentinelTLS, connectTimeout } = options;
  const retryStrategy = options.sentinelReconnectStrategy ?? options.sentinelRetryStrategy;
  return {
    ...(connectTimeout !== undefined && { connectTimeout }),
    ...(retryStrategy !== undefined && { retryStrategy }),
    ...(sentinelUsername !== undefined && { username: sentinelUsername }),
    ...(sentinelPassword != null && { password: sentinelPassword }),
    ...(sentinelTLS !== undefined && { tls: sentinelTLS }),
    enableReadyCheck: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    replyMapping: "legacy" as const,
  };
}

/** The parts of a client that ioredis has and its types don't. */
interface Internals {
  readonly stream?: { unref?(): void };
  readonly reconnectTimeout?: { unref?(): void } | null;
}

function letGo(sentinel: Redis): void {
  const { stream, reconnectTimeout } = sentinel as unknown as Internals;
  stream?.unref?.();
  reconnectTimeout?.unref?.();
}
