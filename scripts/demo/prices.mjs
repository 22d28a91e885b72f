// Somebody changes prices while the shop is open. With a cache, the page of the product is deleted from
// it; at the end the demo reads every changed page from every server thread and compares the price.
import { PRICE_CHANGE_MS, SECOND_DELETE_MS, SEED } from "./options.mjs";
import { formatPrice } from "./page.mjs";
import { integer, seededRandom } from "./random.mjs";
import { PRODUCTS, PriceList } from "./shop.mjs";

export class PriceChanges {
  #prices;
  #random = seededRandom(SEED + 1);
  #changed = new Map();
  #changes = 0;
  #timer;
  #cache;

  constructor(database) {
    this.#prices = new PriceList(database);
  }

  /** Deletes changed pages from `cache` from now on. */
  useCache(cache) {
    this.#cache = cache;
  }

  start() {
    this.#timer = setInterval(() => this.#changeOne(), PRICE_CHANGE_MS);
  }

  /** Ends the changes; resolves when the last page has been deleted for the second time. */
  async stop() {
    clearInterval(this.#timer);
    if (this.#cache) {
      await new Promise((resolve) => setTimeout(resolve, SECOND_DELETE_MS + PRICE_CHANGE_MS));
    }
  }

  /** Reads the changed pages from the servers; returns how many were changed, read and found stale. */
  async verify(ports) {
    const result = { changes: this.#changes, pagesRead: 0, stale: 0 };
    for (const [id, cents] of this.#changed) {
      for (const port of ports) {
        const response = await fetch(`http://127.0.0.1:${port}/product/${id}`);
        const html = await response.text();
        result.pagesRead += 1;
        result.stale += html.includes(`<p class="price">${formatPrice(cents)}</p>`) ? 0 : 1;
      }
    }
    return result;
  }

  close() {
    this.#prices.close();
  }

  #changeOne() {
    const id = 1 + integer(this.#random, PRODUCTS);
    const cents = 499 + integer(this.#random, 20_000);
    this.#prices.set(id, cents);
    this.#changed.set(id, cents);
    this.#changes += 1;
    const cache = this.#cache;
    if (cache) {
      // A thread that read the old price a moment ago may still put its page into the cache after the
      // first delete. The second one takes that page out, too.
      cache.delete(`/product/${id}`);
      setTimeout(() => cache.delete(`/product/${id}`), SECOND_DELETE_MS);
    }
  }
}
