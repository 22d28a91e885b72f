// The load generator, a thread of its own: keep-alive connections to all server threads, each with one
// request under way (a closed loop). It measures from the request's first byte sent to the answer's last
// byte read, and answers the main thread with the latencies of each interval and of the whole phase.
import { connect } from "node:net";
import { createHistogram, performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { CONNECTIONS_PER_SERVER, REPORT_MS } from "./options.mjs";
import { logRequests, shopRequests } from "./requests.mjs";
import { PRODUCTS } from "./shop.mjs";

const HEADERS = "Host: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n";
const HEADERS_END = Buffer.from("\r\n\r\n");

parentPort.on("message", async (message) => {
  if (message.type === "stop") {
    parentPort.close();
    return;
  }
  const total = await new Phase(message.durationMs).run();
  parentPort.postMessage({ type: "done", total });
});

class Phase {
  #nextPath = workerData.log ? logRequests(workerData.log) : shopRequests(PRODUCTS);
  #total = new Latencies();
  #interval = new Latencies();
  #endsAt;

  constructor(durationMs) {
    this.#endsAt = performance.now() + durationMs;
  }

  async run() {
    const timer = setInterval(() => {
      parentPort.postMessage({ type: "interval", ...this.#interval.summary() });
      this.#interval = new Latencies();
    }, REPORT_MS);
    const ports = workerData.ports.flatMap((port) => Array(CONNECTIONS_PER_SERVER).fill(port));
    await Promise.all(ports.map((port) => this.#drive(port)));
    clearInterval(timer);
    return this.#total.summary();
  }

  /** Sends one request after the other over one connection until the phase is over. */
  async #drive(port) {
    const connection = await Connection.open(port);
    for (let path = this.#next(); path !== undefined; path = this.#next()) {
      const sentAt = performance.now();
      const status = await connection.get(path);
      const tookMs = performance.now() - sentAt;
      this.#total.add(tookMs, status);
      this.#interval.add(tookMs, status);
    }
    connection.close();
  }

  #next() {
    return performance.now() < this.#endsAt ? this.#nextPath() : undefined;
  }
}

class Latencies {
  #histogram = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  #startedAt = performance.now();
  #requests = 0;
  #errors = 0;

  add(ms, status) {
    this.#histogram.record(Math.max(1, Math.round(ms * 1000)));
    this.#requests += 1;
    this.#errors += status === 200 ? 0 : 1;
  }

  summary() {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const ms = (percentile) => (this.#requests === 0 ? 0 : this.#histogram.percentile(percentile) / 1000);
    return {
      requests: this.#requests,
      errors: this.#errors,
      perSecond: this.#requests / seconds,
      p50: ms(50),
      p99: ms(99),
      p999: ms(99.9),
    };
  }
}

/** Just enough of an HTTP/1.1 client: answers carry a Content-Length, as our server's do. */
class Connection {
  #socket;
  #answer;
  #missing = 0;
  #head = Buffer.alloc(0);
  #status = 0;

  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Connection(socket)));
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.removeAllListeners("error");
    socket.on("data", (chunk) => this.#read(chunk));
    const lost = (error) => this.#answer?.reject(error ?? new Error("the server closed the connection"));
    socket.on("error", lost);
    socket.on("close", () => lost());
  }

  /** Resolves to the status when the whole answer has been read. */
  get(path) {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#socket.write(`GET ${path} HTTP/1.1\r\n${HEADERS}`, "latin1");
    });
  }

  close() {
    this.#answer = undefined;
    this.#socket.destroy();
  }

  #read(chunk) {
    if (this.#missing > 0) {
      this.#missing -= chunk.length;
    } else {
      const data = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = data.indexOf(HEADERS_END);
      if (end === -1) {
        this.#head = data;
        return;
      }
      this.#head = Buffer.alloc(0);
      const head = data.latin1Slice(0, end);
      this.#status = Number(head.slice(9, 12));
      this.#missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) - (data.length - end - HEADERS_END.length);
    }
    if (this.#missing <= 0) {
      this.#missing = 0;
      this.#answer.resolve(this.#status);
    }
  }
}
