// Durations are milliseconds, sizes are bytes in binary units; anything else is not taken for one.
import { expect, test } from "vitest";
import { parseDuration, parseSize, showSize } from "../ts/units.js";

test("durations", () => {
  const good = {
    "250ms": 250,
    "30s": 30_000,
    "10m": 600_000,
    "1h": 3_600_000,
    "1.5h": 5_400_000,
    "7d": 604_800_000,
    "2w": 1_209_600_000,
    "10 m": 600_000,
    "5M": 300_000,
    ".5s": 500,
  };
  for (const [text, ms] of Object.entries(good)) {
    expect(parseDuration(text), text).toBe(ms);
  }
  expect(parseDuration(5)).toBe(5);
  for (const bad of [
    "",
    "10",
    "m",
    "10x",
    "-1s",
    "1e3s",
    "10m ago",
    "1h30m",
    "constructor",
    "1constructor",
    null,
    {},
    5n,
  ]) {
    expect(parseDuration(bad), String(bad)).toBeUndefined();
  }
});

test("sizes", () => {
  const good = {
    "100b": 100,
    "1kb": 1024,
    "1KB": 1024,
    "1kib": 1024,
    "256mb": 268_435_456,
    "256 MiB": 268_435_456,
    "1.5gb": 1_610_612_736,
    "1tb": 2 ** 40,
  };
  for (const [text, bytes] of Object.entries(good)) {
    expect(parseSize(text), text).toBe(bytes);
  }
  expect(parseSize(5.9)).toBe(5);
  for (const bad of ["", "10", "mb", "10x", "-1mb", "1ib", "1 i b", undefined, []]) {
    expect(parseSize(bad), String(bad)).toBeUndefined();
  }
});

test("sizes in messages", () => {
  expect([5, 1024, 1.5 * 2 ** 20, 2 ** 30].map(showSize)).toEqual(["5 bytes", "1kb", "1.5mb", "1gb"]);
});
