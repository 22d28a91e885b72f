// Chance for the demo, always from a seed: two runs ask for the same pages in the same order.

/** A generator of numbers in [0, 1) (mulberry32). */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer in [0, below). */
export function integer(random, below) {
  return Math.floor(random() * below);
}

/** One element of `list`. */
export function pick(random, list) {
  return list[integer(random, list.length)];
}

/**
 * Draws ranks from 0 (the most popular) to `count` - 1, rank r with a weight of 1 / (r + 1)^skew:
 * the shape that requests of shops and web sites have.
 */
export function zipf(random, count, skew) {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank += 1) {
    sum += (rank + 1) ** -skew;
    cumulative[rank] = sum;
  }
  return () => firstAtLeast(cumulative, random() * sum);
}

function firstAtLeast(sorted, wanted) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** The numbers 0 … count - 1 in an order of chance. */
export function shuffled(random, count) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = integer(random, index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}
