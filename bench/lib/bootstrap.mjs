// How far a median may be from the truth: the median of many samples that are drawn, with replacement, from what was
// measured. Seeded, so that the same measurements always give the same interval.
import { quantile } from "./quartiles.mjs";
import { randomNumbers } from "./random.mjs";

const RESAMPLES = 1000;
const SEED = 0x6a09e667;

/** The interval that holds the median of `numbers` in 95 of 100 cases, as `{ low, high }`; that number itself for one. */
export function medianInterval(numbers, seed = SEED) {
  const next = randomNumbers(seed);
  const drawn = new Float64Array(numbers.length);
  const medians = Float64Array.from({ length: RESAMPLES }, () => {
    for (let place = 0; place < drawn.length; place += 1) {
      drawn[place] = numbers[next(numbers.length)];
    }
    return quantile(drawn.sort(), 0.5);
  }).sort();
  return { low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}
