// Times every single read. Imported once per contestant under an address of its own (`each.mjs?of=lru-cache`), for the
// reason that compare.mjs tells: V8 then optimises the loop for that contestant alone.

/** Reads `count` keys of `sequence` from `place` on, and puts milliseconds into `samples` at `to`; returns a sum. */
export function readEach(get, sequence, place, count, samples, to) {
  const mask = sequence.length - 1;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const key = sequence[(place + index) & mask];
    const start = performance.now();
    const value = get(key);
    const end = performance.now();
    samples[to + index] = end - start;
    sum += value === undefined ? 0 : value.length;
  }
  return sum;
}

/** The same where `get` returns a promise. */
export async function awaitEach(get, sequence, place, count, samples, to) {
  const mask = sequence.length - 1;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const key = sequence[(place + index) & mask];
    const start = performance.now();
    const value = await get(key);
    const end = performance.now();
    samples[to + index] = end - start;
    sum += value === undefined ? 0 : value.length;
  }
  return sum;
}

/** What the timer takes by itself: nothing is done between its two readings. */
export function timeNothing(_, sequence, place, count, samples, to) {
  const mask = sequence.length - 1;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const key = sequence[(place + index) & mask];
    const start = performance.now();
    const end = performance.now();
    samples[to + index] = end - start;
    sum += key.length;
  }
  return sum;
}
