/**
 * One connection to a Redis server: commands in order, replies in order, pushes beside them. It ends at the first sign of
 * trouble (an answer that is late, an end of the other side, bytes that are no RESP) and never comes back; whoever needs it
 * makes a new one. It keeps no process alive.
 *
 * It exists because the client for data drops pushes. It does no more than the backplane needs: no retries, no
 * redirections, no queue while it is not connected.
 */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock, Timer } from "../clock.js";
import type { Address } from "./backplane.js";
import { ErrorReply, encodeCommand, type Reply, RespError, RespParser } from "./resp.js";

/** The connection is over. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

export interface ConnectionOptions {
  readonly address: Address;
  /** With 2 there are no pushes, and every server speaks it. */
  readonly protocol: 2 | 3;
  /** As `CLIENT LIST` shows it. */
  readonly clientName: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly onPush: (items: readonly Reply[]) => void;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

export class Connection {
  /** Resolves with the reason when it is over. */
  readonly ended: Promise<Error>;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #waiting: Waiting[] = [];
  #reason: Error | undefined;
  #resolveEnded: (reason: Error) => void = () => undefined;

  /** Connects, logs in and chooses the database. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#connected();
      await connection.#greet();
      return connection;
    } catch (error) {
      connection.close(error as Error);
      throw error;
    }
  }

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const parser = new RespParser({ reply: (reply) => this.#reply(reply), push: options.onPush });
    this.#socket = openSocket(options.address);
    this.#socket.unref();
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#read(parser, chunk));
    this.#socket.on("error", (error) => this.close(error));
    this.#socket.on("end", () => this.close(new ConnectionLost("the server has closed the connection")));
    this.#socket.on("close", () => this.close(new ConnectionLost("the connection was closed")));
  }

  /** Rejects with an {@link ErrorReply}, or when the connection ends. A late answer ends it. */
  send(parts: readonly string[], deadlineMs = this.#options.deadlineMs): Promise<Reply> {
    if (this.#reason) return Promise.reject(this.#reason);
    return new Promise<Reply>((resolve, reject) => {
      const timer = this.#deadline(`no answer to ${parts[0]}`, deadlineMs, () => this.#waiting.includes(waiting));
      const waiting = { resolve, reject, timer };
      this.#waiting.push(waiting);
      this.#socket.write(encodeCommand(parts));
    });
  }

  /** Ends it now. */
  close(reason: Error = new ConnectionLost("closed by us")): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#socket.destroy();
    for (const { reject, timer } of this.#waiting.splice(0)) {
      timer.cancel();
      reject(reason);
    }
    this.#resolveEnded(reason);
  }

  async #connected(): Promise<void> {
    const event = this.#options.address.tls ? "secureConnect" : "connect";
    let isConnected = false;
    const timer = this.#deadline("no connection", this.#options.deadlineMs, () => !isConnected);
    const lost = this.ended.then((reason) => Promise.reject(reason));
    await Promise.race([new Promise((resolve) => this.#socket.once(event, resolve)), lost]).finally(() => {
      isConnected = true;
      timer.cancel();
      lost.catch(() => undefined);
    });
  }

  async #greet(): Promise<void> {
    const { address, protocol, clientName } = this.#options;
    const { username = "default", password, database } = address;
    if (protocol === 3) {
      const login = password ? ["AUTH", username, password] : [];
      await this.send(["HELLO", "3", ...login, "SETNAME", clientName]);
    } else {
      if (password) await this.send(["AUTH", ...(address.username ? [username] : []), password]);
      await this.send(["CLIENT", "SETNAME", clientName]).catch(tolerateErrorReply);
    }
    if (database) await this.send(["SELECT", String(database)]);
  }

  /**
   * A thread that was busy finds its timers due before it has looked at its sockets, where the answer may be waiting: so a
   * deadline lets the sockets speak once before it passes.
   */
  #deadline(what: string, ms: number, isStillWaiting: () => boolean): Timer {
    return this.#options.clock.setTimer(() => {
      setImmediate(() => {
        if (isStillWaiting()) this.close(new ConnectionLost(`${what} within ${ms} ms`));
      });
    }, ms);
  }

  #read(parser: RespParser, chunk: Buffer): void {
    if (this.#reason) return;
    try {
      parser.push(chunk);
    } catch (error) {
      this.close(error as Error);
    }
  }

  #reply(reply: Reply): void {
    const waiting = this.#waiting.shift();
    if (!waiting) throw new RespError("a reply to nothing");
    waiting.timer.cancel();
    if (reply instanceof ErrorReply) {
      waiting.reject(reply);
    } else {
      waiting.resolve(reply);
    }
  }
}

function openSocket({ host = "127.0.0.1", port = 6_379, path, tls }: Address): Socket {
  if (!tls) return connectPlain(path === undefined ? { host, port } : { path });
  // The name that the certificate must have; an address can't be sent as one.
  const servername = isIP(host) ? {} : { servername: host };
  return connectTls({ host, port, ...servername, ...tls });
}

function tolerateErrorReply(error: unknown): void {
  if (!(error instanceof ErrorReply)) throw error;
}
