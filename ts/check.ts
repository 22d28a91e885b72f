/**
 * Checks of options for the parts that stand beside the cache (write patterns, adapters): each gives the value to use, or
 * throws an {@link InvalidOptionError} that names the option, what it is, and what is allowed.
 */
import { InvalidOptionError, show } from "./errors.js";
import { type Duration, parseDuration } from "./units.js";

/** Options as an object whose names are all known; nothing given is no options. */
export function checkNames(options: unknown, names: readonly string[]): Record<string, unknown> {
  if (options === undefined) {
    return {};
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return failOption("options", options, `an object with ${names.join(", ")}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name) && value !== undefined) {
      failOption(name, value, `none of that name; there are ${names.join(", ")}`);
    }
  }
  return options as Record<string, unknown>;
}

/** A whole number from `min` to `max`. */
export function checkCount(name: string, value: unknown, otherwise: number, min: number, max: number): number {
  if (value === undefined) {
    return otherwise;
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    return failOption(name, value, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A duration in milliseconds, from `min` to `max`. */
export function checkMs(name: string, value: unknown, otherwise: Duration, min: number, max: number): number {
  const ms = parseDuration(value ?? otherwise);
  if (ms === undefined || !(ms >= min && ms <= max)) {
    return failOption(
      name,
      value,
      `milliseconds as a number, or text such as "500ms", "30s", from ${min} to ${max} ms`,
    );
  }
  return ms;
}

/** `true`, `false`, or the default. */
export function checkFlag(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) {
    return otherwise;
  }
  return typeof value === "boolean" ? value : failOption(name, value, "true or false");
}

/** A function, or nothing. */
export function checkFunction<F>(name: string, value: F | undefined): F | undefined {
  return value === undefined || typeof value === "function" ? value : failOption(name, value, "a function");
}

/** Refuses an option's value. */
export function failOption(option: string, value: unknown, allowed: string): never {
  const given = value === undefined ? "is missing" : `is ${show(value)}`;
  const message = `The option ${option} ${given}; allowed: ${allowed}.`;
  throw new InvalidOptionError("ERR_INVALID_OPTION", message, { option, value });
}
