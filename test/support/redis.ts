// A real redis-server for tests: started on a free port of the loopback interface with a folder of its own, frozen, killed,
// restarted on the same port. Everything is ended after the test file, or when its process dies.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis, type RedisOptions } from "ioredis";
import { afterAll } from "vitest";
import { freePort } from "../../scripts/lib/ports.mjs";
import { findRedis } from "../../scripts/lib/redis.mjs";
import { type Certificate, makeCertificate } from "./certificate.js";
import { ServerProcess } from "./server-process.js";
import { until } from "./wait.js";

const START_ATTEMPTS = 5;
const HOST = "127.0.0.1";

/** All options of ioredis but the one that decides the types of replies. */
export type ClientOptions = Omit<RedisOptions, "replyMapping">;

/** What every server of a test is started with: nothing is written to disk unless asked. */
const DEFAULTS = ["--bind", HOST, "--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no"];

const running = new Set<RedisServer>();

afterAll(async () => {
  await Promise.all([...running].map((server) => server.close()));
});

export interface RedisServerOptions {
  /** Speak TLS on {@link RedisServer.port}, with a certificate made for this server. */
  readonly isTls?: boolean;
  /** The server's program; by default the machine's redis-server. */
  readonly program?: string;
  /** Further arguments, as in `["--maxmemory", "2mb"]`. */
  readonly arguments?: readonly string[];
}

/** A sentinel takes everything from a file in its folder, which it rewrites. */
export interface SentinelOptions {
  readonly configurationFile: string;
}

/** Starts a server and waits until it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  let lastError: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    const server = new RedisServer(await freePort(), options);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Somebody else may have taken the port in the meantime.
      lastError = error;
      await server.close();
    }
  }
  throw new Error(`redis-server did not start in ${START_ATTEMPTS} attempts`, { cause: lastError });
}

export class RedisServer {
  readonly host = HOST;
  readonly port: number;
  /** Of its own; removed by {@link close}. */
  readonly folder: string;
  /** With TLS: what clients have to trust. */
  readonly certificate: Certificate | undefined;
  readonly #program: string;
  readonly #arguments: readonly string[];
  readonly #clients: Redis[] = [];
  #process: ServerProcess | undefined;

  constructor(port: number, options: RedisServerOptions | SentinelOptions) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), "nearcache-redis-"));
    running.add(this);
    this.#program = ("program" in options && options.program) || findRedis();
    if ("configurationFile" in options) {
      this.#arguments = [join(this.folder, options.configurationFile), "--sentinel"];
    } else {
      this.certificate = options.isTls ? makeCertificate(this.folder) : undefined;
      this.#arguments = [...DEFAULTS, ...this.#listenArguments(), "--dir", this.folder, ...(options.arguments ?? [])];
    }
  }

  get url(): string {
    return `${this.certificate ? "rediss" : "redis"}://${this.host}:${this.port}`;
  }

  get pid(): number {
    if (!this.#process) throw new Error("the server is not running");
    return this.#process.pid;
  }

  /** The end of what the server printed. */
  get output(): string {
    return this.#process?.output ?? "";
  }

  /** Starts it, again if it was stopped or killed, and waits until it answers. Its data is gone. */
  async start(): Promise<void> {
    const process = new ServerProcess(this.#program, this.#arguments, this.folder);
    this.#process = process;
    const probe = new Redis({
      ...this.clientOptions(),
      lazyConnect: true,
      retryStrategy: null,
      enableReadyCheck: false,
    });
    probe.on("error", () => undefined);
    try {
      await until(async () => {
        if (!process.isRunning) return true;
        if (probe.status !== "ready") await probe.connect();
        return (await probe.ping()) === "PONG";
      }, `redis-server on port ${this.port} does not answer`);
    } finally {
      probe.disconnect();
    }
    if (!process.isRunning) throw new Error(`redis-server ended at once:\n${process.output}`);
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    await this.#process?.end("SIGTERM");
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#process?.end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Stops it in the middle of what it does: connections stay, nothing is answered. */
  freeze(): void {
    this.#process?.signal("SIGSTOP");
  }

  thaw(): void {
    this.#process?.signal("SIGCONT");
  }

  /** How ioredis reaches it. */
  clientOptions(): ClientOptions {
    const tls = this.certificate && { ca: this.certificate.pem };
    return { host: this.host, port: this.port, connectTimeout: 5_000, ...(tls && { tls }) };
  }

  /** A client that waits through restarts: for what a test wants to do or see at the server. Ended with the server. */
  client(options: ClientOptions = {}): Redis {
    const client = new Redis({
      ...this.clientOptions(),
      maxRetriesPerRequest: null,
      retryStrategy: () => 20,
      ...options,
    });
    client.on("error", () => undefined);
    this.#clients.push(client);
    return client;
  }

  /** Ends the server and its clients, and removes its folder. */
  async close(): Promise<void> {
    running.delete(this);
    for (const client of this.#clients) client.disconnect();
    await this.#process?.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  #listenArguments(): string[] {
    if (!this.certificate) return ["--port", String(this.port)];
    const { certificateFile, keyFile } = this.certificate;
    return [
      ...["--port", "0", "--tls-port", String(this.port), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", certificateFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certificateFile],
    ];
  }
}
