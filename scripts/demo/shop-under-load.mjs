// The running demo: it starts the threads, lets them work for a phase, and puts together what the load
// generator measured with what the servers counted.
import { Worker } from "node:worker_threads";
import { createCache } from "nearcache";
import { CACHE_OPTIONS, CONNECTIONS_PER_SERVER, SERVER_THREADS, WARM_UP_MS } from "./options.mjs";
import { PriceChanges } from "./prices.mjs";
import { count, LiveView } from "./view.mjs";

/** All threads of the demo, and the phases that they run. */
export class ShopUnderLoad {
  #servers;
  #ports;
  #load;
  #prices;
  #cache;
  #counts = new Map();
  #view;
  #countsAtStart;
  #countsShown;
  #shown = { hitRatio: 0, l0Share: 0 };

  /** Starts the threads and lets them run warm. */
  static async open(database, log) {
    const shop = new ShopUnderLoad();
    await shop.#start(database, log);
    return shop;
  }

  async #start(database, log) {
    const workerData = { database, isReplay: log !== undefined };
    this.#servers = Array.from({ length: SERVER_THREADS }, () => startThread("server.mjs", workerData));
    const listening = await Promise.all(this.#servers.map((server) => messageOf(server, "listening")));
    this.#ports = listening.map(({ port }) => port);
    for (const server of this.#servers) {
      server.on("message", ({ type, counts }) => type === "report" && this.#counts.set(server, counts));
    }
    this.#load = startThread("load.mjs", { ports: this.#ports, log });
    this.#load.on("message", (message) => message.type === "interval" && this.#showLive(message));
    this.#prices = log ? undefined : new PriceChanges(database);
    console.log(
      `${SERVER_THREADS} server threads on 127.0.0.1, ${SERVER_THREADS * CONNECTIONS_PER_SERVER} connections, ` +
        `each asks again when it has its answer. Warming up …\n`,
    );
    await this.#run(WARM_UP_MS);
  }

  /** Switches the cache on in all threads; it is empty. */
  async useCache() {
    this.#cache = createCache(CACHE_OPTIONS);
    this.#prices?.useCache(this.#cache);
    await Promise.all(
      this.#servers.map((server) => {
        server.postMessage({ type: "useCache" });
        return messageOf(server, "ready");
      }),
    );
  }

  /** Runs the load for that long and returns what was measured. */
  async phase(name, durationMs) {
    await this.#settle();
    this.#countsAtStart = this.#totals();
    this.#countsShown = this.#countsAtStart;
    this.#view = new LiveView(name);
    this.#prices?.start();
    const total = await this.#run(durationMs);
    await this.#prices?.stop();
    await this.#settle();
    const result = this.#report(total, this.#countsAtStart);
    this.#view = undefined;
    return result;
  }

  /** Says whether a changed price was seen by everybody. */
  async reportPrices() {
    if (!this.#prices) {
      return;
    }
    const { changes, pagesRead, stale } = await this.#prices.verify(this.#ports);
    console.log(
      `${count(changes)} prices were changed meanwhile. Read afterwards from both threads: ${count(pagesRead)} pages, ${count(stale)} stale.`,
    );
    if (stale > 0) {
      process.exitCode = 1;
    }
  }

  async close() {
    const threads = [...this.#servers, this.#load];
    const ended = threads.map((thread) => new Promise((done) => thread.once("exit", done)));
    for (const thread of threads) {
      thread.postMessage({ type: "stop" });
    }
    await Promise.all(ended);
    this.#prices?.close();
    this.#cache?.close();
  }

  async #run(durationMs) {
    this.#load.postMessage({ type: "run", durationMs });
    const { total } = await messageOf(this.#load, "done");
    return total;
  }

  /** Waits until every server has reported what it did so far. */
  async #settle() {
    await Promise.all(this.#servers.map((server) => messageOf(server, "report")));
  }

  #totals() {
    const sum = { requests: 0, pages: 0, queries: 0, l0Hits: 0 };
    for (const counts of this.#counts.values()) {
      for (const name of Object.keys(sum)) {
        sum[name] += counts[name];
      }
    }
    return sum;
  }

  /** The live view is of the time since the last line; the servers may be too busy to report for a moment. */
  #showLive(latencies) {
    const report = this.#report(latencies, this.#countsShown);
    const { hitRatio, l0Share } = report.answered > 0 ? report : this.#shown;
    this.#shown = { ...report, hitRatio, l0Share };
    this.#countsShown = this.#totals();
    this.#view?.show(this.#shown);
  }

  /** What the load generator saw, with what the servers and the cache say of the time since `start`. */
  #report(latencies, start) {
    const now = this.#totals();
    const since = (name) => now[name] - (start?.[name] ?? 0);
    const answered = since("requests");
    const hits = answered - since("pages");
    const memory = this.#cache?.stats().memory;
    return {
      ...latencies,
      answered,
      pages: since("pages"),
      queries: since("queries"),
      hitRatio: answered === 0 ? 0 : hits / answered,
      l0Share: hits === 0 ? 0 : since("l0Hits") / hits,
      cacheBytes: memory?.used,
      cacheMaxBytes: memory?.max,
      rssBytes: process.memoryUsage.rss(),
    };
  }
}

function startThread(file, workerData) {
  const thread = new Worker(new URL(file, import.meta.url), { workerData });
  thread.on("error", (error) => {
    console.error(`\n${file} failed:`, error);
    process.exit(1);
  });
  return thread;
}

/** The next message of that type. */
function messageOf(thread, type) {
  return new Promise((done) => {
    const listen = (message) => {
      if (message.type === type) {
        thread.off("message", listen);
        done(message);
      }
    };
    thread.on("message", listen);
  });
}
