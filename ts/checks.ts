/** How options are checked: every mistake is an error that names the option, the value and what is allowed. */
import { InvalidOptionError, show } from "./errors.js";
import { parseDuration } from "./units.js";

/** Which durations there are, for messages. */
export const DURATION_ALLOWED = 'milliseconds as a number, or text such as "500ms", "30s", "10m", "1.5h", "7d"';

/** A length of time in milliseconds, not rounded; `byDefault` if it is not given. Throws {@link InvalidOptionError}. */
export function durationOption(option: string, value: unknown, byDefault: number): number {
  if (value === undefined) {
    return byDefault;
  }
  const ms = parseDuration(value);
  if (ms === undefined || !(ms >= 0)) {
    fail(option, value, `${DURATION_ALLOWED}, 0 or more, or Infinity`);
  }
  return ms;
}

/** A number between two others, both included; `byDefault` if it is not given. Throws {@link InvalidOptionError}. */
export function numberOption(option: string, value: unknown, min: number, max: number, byDefault: number): number {
  if (value === undefined) {
    return byDefault;
  }
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    fail(option, value, `a number from ${min} to ${max}`);
  }
  return value;
}

/** An object that has no other properties than these. `option` is its name in messages; `options` for all of them. */
export function asRecord(option: string, value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    fail(option, value, `an object with ${names.join(", ")}`);
  }
  const prefix = option === "options" ? "" : `${option}.`;
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) {
      const known = names.map((known) => prefix + known).join(", ");
      const message = `There is no option ${show(prefix + name)}; there are ${known}.`;
      throw new InvalidOptionError("ERR_INVALID_OPTION", message, {
        option: prefix + name,
        value: (value as Record<string, unknown>)[name],
      });
    }
  }
  return value as Record<string, unknown>;
}

/** Refuses an option. */
export function fail(option: string, value: unknown, allowed: string): never {
  const given = value === undefined ? "is missing" : `is ${show(value)}`;
  throw new InvalidOptionError("ERR_INVALID_OPTION", `The option ${option} ${given}; allowed: ${allowed}.`, {
    option,
    value,
  });
}

/** A whole number between two others, both included; `byDefault` if it is not given. Throws {@link InvalidOptionError}. */
export function countOption(option: string, value: unknown, min: number, max: number, byDefault: number): number {
  if (value === undefined) {
    return byDefault;
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    fail(option, value, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A length of time in milliseconds between two others, both included. Throws {@link InvalidOptionError}. */
export function msOption(option: string, value: unknown, min: number, max: number, byDefault: number): number {
  const ms = value === undefined ? byDefault : parseDuration(value);
  if (ms === undefined || !(ms >= min && ms <= max)) {
    fail(option, value, `${DURATION_ALLOWED}, from ${min} to ${max} ms`);
  }
  return ms;
}

/** `true` or `false`; `byDefault` if it is not given. Throws {@link InvalidOptionError}. */
export function flagOption(option: string, value: unknown, byDefault: boolean): boolean {
  if (value !== undefined && typeof value !== "boolean") {
    fail(option, value, "true or false");
  }
  return value ?? byDefault;
}

/** A function, or `undefined` if it is not given. Throws {@link InvalidOptionError}. */
export function functionOption<F>(option: string, value: F | undefined): F | undefined {
  if (value !== undefined && typeof value !== "function") {
    fail(option, value, "a function");
  }
  return value;
}
