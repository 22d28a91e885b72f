// Numbers that look random and are the same in every run: a benchmark must not differ by its keys.

/** A generator of whole numbers below `limit` (xorshift32; `seed` must not be 0). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** `length` numbers below `limit`, uniform and independent. */
export function uniform(length, limit, seed = 0x9e3779b9) {
  const next = randomNumbers(seed);
  return Int32Array.from({ length }, () => next(limit));
}

/** Puts the elements of an array into a random order, in place. */
export function shuffle(array, next) {
  for (let index = array.length - 1; index > 0; index -= 1) {
    const other = next(index + 1);
    [array[index], array[other]] = [array[other], array[index]];
  }
  return array;
}
