// One thread of the shop's web service. It renders product pages from the database, and, once it is
// told to, keeps them in a nearcache that it shares with the other thread: the four lines in `pageOf`
// are all that the cache adds.
import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { CACHE_OPTIONS, REPORT_MS } from "./options.mjs";
import { renderProduct } from "./page.mjs";
import { PRODUCTS, QUERIES_PER_PAGE, Shop } from "./shop.mjs";

const shop = new Shop(workerData.database);
const counts = { requests: 0, pages: 0, queries: 0 };
let cache;

const server = createServer((request, response) => {
  counts.requests += 1;
  const html = pageOf(request.url);
  if (html === undefined) {
    response.writeHead(404, { "content-length": 0 }).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-length": Buffer.byteLength(html) });
  response.end(html);
});

server.listen(0, "127.0.0.1", () => parentPort.postMessage({ type: "listening", port: server.address().port }));
const reports = setInterval(report, REPORT_MS / 2);
parentPort.on("message", ({ type }) => COMMANDS[type]());

const COMMANDS = {
  async useCache() {
    const { createCache } = await import("nearcache");
    cache = createCache(CACHE_OPTIONS);
    parentPort.postMessage({ type: "ready" });
  },
  stop() {
    clearInterval(reports);
    server.close();
    server.closeAllConnections();
    cache?.close();
    shop.close();
    parentPort.close();
  },
};

function pageOf(path) {
  const cached = cache?.get(path);
  if (cached !== undefined) {
    return cached;
  }
  const html = render(path);
  if (html !== undefined) {
    cache?.set(path, html);
  }
  return html;
}

function render(path) {
  const product = shop.product(workerData.isReplay ? anyProduct(path) : Number(/^\/product\/(\d+)$/.exec(path)?.[1]));
  counts.pages += 1;
  counts.queries += product ? QUERIES_PER_PAGE : 1;
  return product && renderProduct(product);
}

/** In a replayed log every path stands for a product, always the same one. */
function anyProduct(path) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < path.length; index += 1) {
    hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193) >>> 0;
  }
  return 1 + (hash % PRODUCTS);
}

/** Counts since the start; the main thread takes differences. The L0's are this thread's own. */
function report() {
  const l0Hits = cache?.stats().l0.hits ?? 0;
  parentPort.postMessage({ type: "report", counts: { ...counts, l0Hits } });
}
