// A TCP proxy that does to connections what networks do: it delays, cuts, closes one half, and holds everything back. What
// is held back is not lost: as with a network that is gone for a while, it arrives when the connection heals. Only what a
// client had sent on a connection that it gave up meanwhile never arrives.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll } from "vitest";

const open = new Set<TcpProxy>();

afterAll(async () => {
  await Promise.all([...open].map((proxy) => proxy.close()));
});

/** Starts a proxy in front of a port of the loopback interface. Closed after the test file at the latest. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetPort);
  await proxy.listen();
  return proxy;
}

/** The two directions of a connection. */
export type Direction = "toServer" | "toClient";

export class TcpProxy {
  readonly host = "127.0.0.1";
  /** How many connections were made in all. */
  accepted = 0;
  /** The connections of now, oldest first. */
  readonly connections: ProxyConnection[] = [];
  readonly #server: Server;
  readonly #targetPort: number;
  #port = 0;
  #delayMs = 0;
  #isBlackhole = false;
  #isRefusing = false;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, this.host);
    await once(this.#server, "listening");
    const address = this.#server.address();
    this.#port = typeof address === "object" && address ? address.port : 0;
    open.add(this);
  }

  get port(): number {
    return this.#port;
  }

  /** Delays every byte, of the connections of now and of those to come. Order is kept. */
  delay(ms: number): void {
    this.#delayMs = ms;
    for (const connection of this.connections) connection.delay(ms);
  }

  /** Resets all connections. */
  cut(): void {
    for (const connection of [...this.connections]) connection.cut();
  }

  /** Nothing gets through any more, though all connections stay and new ones are accepted. */
  blackhole(): void {
    this.#isBlackhole = true;
    for (const connection of this.connections) connection.blackhole();
  }

  /** New connections are reset at once. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** No delay, no holding back, no refusing. What was held back arrives. */
  heal(): void {
    this.#isRefusing = false;
    this.#isBlackhole = false;
    this.#delayMs = 0;
    for (const connection of this.connections) connection.heal();
  }

  async close(): Promise<void> {
    open.delete(this);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.accepted++;
    if (this.#isRefusing) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const connection = new ProxyConnection(client, this.#targetPort, () => {
      this.connections.splice(this.connections.indexOf(connection), 1);
    });
    this.connections.push(connection);
    if (this.#delayMs > 0) connection.delay(this.#delayMs);
    if (this.#isBlackhole) connection.blackhole();
  }
}

export class ProxyConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #lanes: Record<Direction, Lane>;
  readonly #onEnd: () => void;
  #isOver = false;

  constructor(client: Socket, targetPort: number, onEnd: () => void) {
    this.#client = client;
    this.#server = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#onEnd = onEnd;
    this.#lanes = {
      // A client's end has to be noticed also while nothing gets through, so what it sends is always read.
      toServer: new Lane(client, this.#server, { isAlwaysRead: true, onEndWhileHeld: () => this.cut() }),
      toClient: new Lane(this.#server, client, { isAlwaysRead: false, onEndWhileHeld: () => undefined }),
    };
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.cut());
      socket.on("close", () => this.#closed());
    }
  }

  /** Resets both sides. */
  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.#over();
  }

  /** Says that nothing more comes in one direction; the other goes on. */
  halfClose(direction: Direction): void {
    this.#lanes[direction].end();
  }

  /** Holds everything back, in one direction or both. */
  blackhole(direction?: Direction): void {
    for (const lane of this.#chosen(direction)) lane.hold();
  }

  delay(ms: number): void {
    for (const lane of this.#chosen()) lane.delayMs = ms;
  }

  heal(): void {
    for (const lane of this.#chosen()) {
      lane.delayMs = 0;
      lane.release();
    }
  }

  #chosen(direction?: Direction): Lane[] {
    return direction ? [this.#lanes[direction]] : Object.values(this.#lanes);
  }

  #closed(): void {
    if (this.#client.destroyed && this.#server.destroyed) this.#over();
    // The other side still has what was on its way; then its end, too.
    if (this.#client.destroyed) this.#lanes.toServer.end();
    if (this.#server.destroyed) this.#lanes.toClient.end();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lane of this.#chosen()) lane.stop();
    this.#onEnd();
  }
}

interface LaneOptions {
  readonly isAlwaysRead: boolean;
  readonly onEndWhileHeld: () => void;
}

/** One direction: what comes out of one socket goes into the other, later or not at all for now. */
class Lane {
  delayMs = 0;
  readonly #to: Socket;
  readonly #from: Socket;
  readonly #options: LaneOptions;
  /** Pieces on their way, and when they are due; `undefined` is the end. */
  readonly #queue: { due: number; bytes: Buffer | undefined }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(from: Socket, to: Socket, options: LaneOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on("data", (bytes: Buffer) => this.#push(bytes));
    from.on("end", () => {
      if (this.#isHeld) options.onEndWhileHeld();
      this.#push(undefined);
    });
    to.on("drain", () => {
      if (!this.#isHeld) from.resume();
    });
  }

  hold(): void {
    this.#isHeld = true;
    if (!this.#options.isAlwaysRead) this.#from.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#from.resume();
    this.#onTimer();
  }

  end(): void {
    this.#push(undefined);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #push(bytes: Buffer | undefined): void {
    this.#queue.push({ due: performance.now() + this.delayMs, bytes });
    this.#flush();
  }

  #flush(): void {
    if (this.#isHeld || this.#timer) return;
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const early = next.due - performance.now();
      if (early > 0 && this.delayMs > 0) {
        this.#timer = setTimeout(() => this.#onTimer(), early);
        return;
      }
      this.#queue.shift();
      this.#send(next.bytes);
    }
  }

  #onTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  #send(bytes: Buffer | undefined): void {
    if (this.#to.destroyed || this.#to.writableEnded) return;
    if (bytes === undefined) {
      this.#to.end();
    } else if (!this.#to.write(bytes) && !this.#isHeld) {
      this.#from.pause();
    }
  }
}
