// What the load generator asks for. Both phases of the demo ask for the same pages in the same order.
import { SEED, SHIFT_AMONG_TOP, SHIFT_EVERY_REQUESTS, SKEW } from "./options.mjs";
import { integer, seededRandom, shuffled, zipf } from "./random.mjs";

/** Endless requests for product pages: few products are popular, and which ones changes all the time. */
export function shopRequests(products) {
  const random = seededRandom(SEED);
  const productOfRank = shuffled(random, products);
  const rank = zipf(random, products, SKEW);
  let made = 0;
  return () => {
    made += 1;
    if (made % SHIFT_EVERY_REQUESTS === 0) {
      swap(productOfRank, integer(random, SHIFT_AMONG_TOP), integer(random, products));
    }
    return `/product/${productOfRank[rank()] + 1}`;
  };
}

/** The requests of an access log, once, in its order; then undefined. */
export function logRequests({ paths, order }) {
  let next = 0;
  return () => (next < order.length ? paths[order[next++]] : undefined);
}

function swap(list, a, b) {
  [list[a], list[b]] = [list[b], list[a]];
}
