// write: one call for both patterns, in a cache and in its scopes.
import { describe, expect, test } from "vitest";
import {
  InvalidOptionError,
  requireScope,
  ScopeRequiredError,
  scoped,
  WriteBehind,
  write,
  writeThrough,
} from "../../ts/index.js";
import { newCache } from "../support/caches.js";

function behindOf(cache = newCache<number>()) {
  const stored = new Map<string, number>();
  const behind = new WriteBehind(cache, {
    to: (items) => {
      for (const { key, value } of items) stored.set(key, value);
    },
    onWriteFailed: () => undefined,
  });
  return { cache, behind, stored };
}

describe("write", () => {
  test("goes through to a function, with the plain key of a scope", async () => {
    const view = scoped(newCache<number>(), { tenant: "acme" });
    const stored: unknown[] = [];
    await write(view, "key", 1, { to: (key, value) => stored.push([key, value]), ttl: "1h", mode: "through" });
    await writeThrough(view, "other", 2, { to: (key, value) => stored.push([key, value]), tags: ["t"] });
    expect([stored, view.get("key")]).toEqual([
      [
        ["key", 1],
        ["other", 2],
      ],
      1,
    ]);
    view.invalidateTags("t");
    expect(view.getMany(["key", "other"])).toEqual([1, undefined]);
  });

  test("goes behind to a WriteBehind, also one of the cache that a view is of", async () => {
    const { cache, behind, stored } = behindOf();
    const view = scoped(cache, { tenant: "acme" });
    await write(cache, "key", 1, { to: behind, mode: "behind" });
    await write(view, "key", 2, { to: behind, ttl: "1h" });
    expect([cache.get("key"), view.get("key")]).toEqual([1, 2]);
    await behind.close();
    expect(Object.fromEntries(stored)).toEqual({ key: 1, "@tenant=acme|key": 2 });
  });

  test("goes behind to one of a view, with its plain keys", async () => {
    const view = scoped(newCache<number>(), { tenant: "acme" });
    const { behind, stored } = behindOf(view);
    await write(view, "key", 1, { to: behind });
    await behind.close();
    expect([Object.fromEntries(stored), view.get("key")]).toEqual([{ key: 1 }, 1]);
  });

  test("refuses what does not fit, and does nothing after an abort", async () => {
    const { cache, behind } = behindOf();
    const wrong = [
      write(cache, "key", 1, { to: behind, mode: "through" }),
      write(cache, "key", 1, { to: () => 1, mode: "behind" }),
      write(newCache<number>(), "key", 1, { to: behind }),
      write(cache, "key", 1, { to: 5 as never }),
      write(cache, "key", 1, undefined as never),
    ];
    for (const call of wrong) await expect(call).rejects.toBeInstanceOf(InvalidOptionError);
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(write(cache, "key", 1, { to: behind, signal })).rejects.toThrow("gone");
    const guarded = requireScope(cache, ["tenant"]);
    for (const to of [behind, () => 1])
      await expect(write(guarded, "key", 1, { to })).rejects.toBeInstanceOf(ScopeRequiredError);
    expect(cache.size).toBe(0);
    await behind.close();
  });
});
