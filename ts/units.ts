/**
 * Durations and sizes as people write them. One job: text or number in, a number of milliseconds or bytes out, or
 * `undefined` when it is neither. What range is allowed, and what the error says, is the caller's business.
 */

/** A unit of time: milliseconds, seconds, minutes, hours, days, weeks. */
export type DurationUnit = "ms" | "s" | "m" | "h" | "d" | "w";

/**
 * A length of time: a number of **milliseconds**, or text such as `"250ms"`, `"30s"`, `"10m"`, `"1.5h"`, `"7d"`, `"2w"`.
 * `Infinity` means for ever.
 */
export type Duration = number | `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/** A unit of size. Units are binary, with or without the `i`: a `kb` is 1,024 bytes, an `mb` 1,048,576. */
export type SizeUnit = "b" | "kb" | "mb" | "gb" | "tb" | "kib" | "mib" | "gib" | "tib";

/**
 * An amount of memory: a number of **bytes**, or text such as `"64kb"`, `"256mb"`, `"1.5gb"` in binary units
 * (1 kb = 1,024 bytes), in lower or upper case.
 */
export type Size =
  | number
  | `${number}${SizeUnit | Uppercase<SizeUnit>}`
  | `${number} ${SizeUnit | Uppercase<SizeUnit>}`;

const DURATION_MS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3 };
const SIZE_BYTES: Record<string, number> = {
  b: 1,
  ...{ kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};
const AMOUNT = /^(\d+(?:\.\d+)?|\.\d+) ?([a-z]+)$/;

/** Durations that were parsed before: a service uses a handful, and `set` may be hot. */
const parsedDurations = new Map<string, number | undefined>();
const PARSED_MAX = 256;

/** Milliseconds; not rounded. `undefined` when it isn't a duration; NaN and negative numbers pass as they are. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value !== "string") {
    return typeof value === "number" ? value : undefined;
  }
  let ms = parsedDurations.get(value);
  if (ms === undefined) {
    ms = parseAmount(value, DURATION_MS);
    if (parsedDurations.size < PARSED_MAX && value.length <= 16) {
      parsedDurations.set(value, ms);
    }
  }
  return ms;
}

/** Bytes, rounded down. `undefined` when it isn't a size; NaN and negative numbers pass as they are. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === "number") {
    return Math.floor(value);
  }
  const bytes = parseAmount(value, SIZE_BYTES);
  return bytes === undefined ? undefined : Math.floor(bytes);
}

function parseAmount(value: unknown, units: Record<string, number>): number | undefined {
  const match = typeof value === "string" ? AMOUNT.exec(value.trim().toLowerCase()) : null;
  const unit = match?.[2] ?? "";
  return match && Object.hasOwn(units, unit) ? Number(match[1]) * (units[unit] ?? 0) : undefined;
}

/** Bytes for an error message: in the largest unit that keeps it exact enough to read. */
export function showSize(bytes: number): string {
  for (const [unit, factor] of [
    ["gb", 2 ** 30],
    ["mb", 2 ** 20],
    ["kb", 2 ** 10],
  ] as const) {
    if (bytes >= factor) {
      return `${Number((bytes / factor).toFixed(2))}${unit}`;
    }
  }
  return `${bytes} bytes`;
}
