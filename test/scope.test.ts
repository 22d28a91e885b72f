// Scopes: views that see their own keys and nothing else, whatever their values and keys hold.
import { describe, expect, test } from "vitest";
import {
  CacheClosedError,
  InvalidArgumentError,
  InvalidKeyError,
  parseScopedKey,
  requireScope,
  type ScopeDimensions,
  ScopeRequiredError,
  scoped,
} from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";
import { pick, seeded } from "./support/random.js";

const PIECES = ["a", "b", "|", "=", "&", "@", "%", "%7C", ":", "tenant", "user", "*", "1", "ü", "\ud800", "__proto__"];

function randomScope(random: () => number): Record<string, string> {
  const text = () => Array.from({ length: 1 + Math.floor(random() * 2) }, () => pick(random, PIECES)).join("");
  return Object.fromEntries(Array.from({ length: 1 + Math.floor(random() * 3) }, () => [text(), text()]));
}

const identity = (dimensions: ScopeDimensions): string =>
  JSON.stringify(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1)));

describe("a scope", () => {
  test("has its own entries under plain keys", async () => {
    const cache = newCache<number>();
    const acme = scoped(cache, { tenant: "acme" });
    const other = scoped(cache, { tenant: "other" });
    acme.set("a", 1);
    acme.setMany([
      ["b", 2],
      ["c", 3],
    ]);
    other.set("a", 9);
    expect(acme.getMany(["a", "b", "c", "d"])).toEqual([1, 2, 3, undefined]);
    expect([acme.get("a"), acme.peek("a"), acme.has("a"), other.get("a"), cache.get("a")]).toEqual([
      1,
      1,
      true,
      9,
      undefined,
    ]);
    expect(acme.ttl("a")).toBeGreaterThan(0);
    expect([acme.touch("a", "1h"), acme.delete("a"), acme.deleteMany(["b", "x"]), acme.size]).toEqual([
      true,
      true,
      1,
      1,
    ]);
    expect(await acme.getOrLoad("loaded", (key) => key.length)).toBe(6);
    expect(acme.getOrSet("loaded", () => 0)).toBe(6);
    expect([...other.keys()]).toEqual(["a"]);
    expect(acme.stats().entries).toBe(3);
  });

  test("iterates over its own entries, and gives unscoped keys", () => {
    const cache = newCache<number>();
    const acme = scoped(cache, { tenant: "acme" });
    acme.setMany([
      ["x:1", 1],
      ["x:2", 2],
      ["y", 3],
    ]);
    scoped(cache, { tenant: "acme2" }).set("x:1", 4);
    acme.scope({ user: 1 }).set("x:1", 5);
    cache.set("x:1", 6);
    expect([...acme.keys()].sort()).toEqual(["x:1", "x:2", "y"]);
    expect([...acme.keys({ prefix: "x:" })].sort()).toEqual(["x:1", "x:2"]);
    expect(new Map(acme.entries({ prefix: "x" }))).toEqual(new Map(Object.entries({ "x:1": 1, "x:2": 2 })));
    expect(acme.deletePrefix("x:")).toBe(2);
    expect(acme.size).toBe(1);
    acme.clear();
    expect([acme.size, cache.size]).toEqual([0, 3]);
  });

  test("loads within itself: loaders, batches, wrapped functions and refreshes see plain keys", async () => {
    const cache = newCache<string>();
    const acme = scoped(cache, { tenant: "acme" });
    const upper = (keys: readonly string[]) => new Map(keys.map((key) => [key, key.toUpperCase()]));
    expect(await acme.getManyOrLoad(["a", "b"], upper)).toEqual(["A", "B"]);
    expect(await acme.getManyOrLoad(["a", "c"], (keys) => keys.map((key) => `${key}!`))).toEqual(["A", "c!"]);
    const wrapped = acme.wrap(async (id: number) => `number ${id}`, { key: (id) => `n${id}`, ttl: "1h" });
    expect([await wrapped(1), acme.get("n1")]).toEqual(["number 1", "number 1"]);
    expect(acme.getOrSet("made", (key) => `made of ${key}`)).toBe("made of made");
    const refreshed: string[] = [];
    const refreshing = acme.refreshEvery(["r"], "30s", (key) => {
      refreshed.push(key);
      return key;
    });
    refreshing.stop();
    expect(refreshed).toEqual(["r"]);
    expect([acme.expire("a"), acme.get("a"), acme.deletePattern("n*")]).toEqual([true, undefined, 1]);
    await acme.flush();
  });

  test("can be told from a key, for a loader of the whole cache", async () => {
    const seen: unknown[] = [];
    const cache = newCache<string>({
      loader: (key) => {
        seen.push(parseScopedKey(key));
        return key;
      },
    });
    const dimensions = { tenant: "a|b=c&d%", user: "ü" };
    const view = scoped(cache, dimensions);
    await view.getOrLoad("x|y");
    await view.getOrLoad("z", { ttl: "1h" });
    await cache.getOrLoad("plain");
    expect(seen).toEqual([{ dimensions, key: "x|y" }, { dimensions, key: "z" }, undefined]);
    for (const key of ["@a=b", "@|x", "@a|x", "@a=b&|x", "a=b|x", ""]) expect(parseScopedKey(key)).toBeUndefined();
  });

  test("has tags and dependencies of its own, and the whole cache reaches the tags of all", async () => {
    const cache = newCache<number>();
    const [acme, other] = [scoped(cache, { tenant: "acme" }), scoped(cache, { tenant: "other" })];
    const fill = async () => {
      for (const view of [acme, other]) {
        view.set("set", 1, { tags: ["t"] });
        await view.getOrLoad("loaded", () => 1, { tags: ["t"] });
        await view.getOrLoad("said", (_, context) => {
          context.tags("t");
          context.ttl("1h");
          context.validators({ etag: "x" });
          return context.stale === undefined && !context.signal.aborted ? 1 : 2;
        });
        view.set("depends", 1, { dependsOn: ["on"] });
        await view.getOrLoad("says", (_, context) => {
          context.dependsOn("on");
          return 1;
        });
      }
    };
    await fill();
    acme.invalidateTags("t");
    expect([...acme.keys()].filter((key) => acme.has(key)).sort()).toEqual(["depends", "says"]);
    expect(["set", "loaded", "said"].every((key) => other.has(key))).toBe(true);
    acme.set("on", 2);
    expect([acme.has("depends"), acme.has("says"), other.has("depends"), other.has("says")]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    await fill();
    requireScope(cache, ["tenant"]).invalidateTags("t");
    expect([acme, other].map((view) => [view.has("set"), view.has("depends")])).toEqual(Array(2).fill([false, true]));
    for (const view of [acme, other]) view.set("plain", 1);
    other.bumpVersion();
    expect([acme.has("plain"), other.has("plain")]).toEqual([true, false]);
    expect(thrownBy(() => acme.invalidateTags(""))).toBeInstanceOf(InvalidArgumentError);
    expect(thrownBy(() => acme.set("x", 1, { tags: [5] } as never))).toBeInstanceOf(InvalidArgumentError);
  });

  test("hands events of the cache on", async () => {
    const cache = newCache<number>();
    const view = scoped(cache, { tenant: "acme" });
    const keys: string[] = [];
    const listener = ({ key }: { key: string }): unknown => keys.push(key);
    await view.on("load", listener).getOrLoad("a", () => 1);
    await view.off("load", listener).getOrLoad("b", () => 1);
    expect(keys).toEqual(["@tenant=acme|a"]);
  });

  test("is the same in whatever order and steps its dimensions are named, and with a number or its text", () => {
    const cache = newCache<number>();
    scoped(cache, { tenant: "acme", user: 42 }).set("a", 1);
    expect(scoped(cache, { user: "42", tenant: "acme" }).get("a")).toBe(1);
    const nested = scoped(cache, { user: 42 }).scope({ tenant: "acme" });
    expect(nested.get("a")).toBe(1);
    expect(nested.dimensions).toEqual({ tenant: "acme", user: "42" });
  });

  test("shares no key with another, and no prefix begins another's keys, whatever names, values and keys hold", () => {
    const random = seeded(7);
    const cache = newCache<string>({ maxMemory: "64mb" });
    const scopes = new Map<string, Record<string, string>>();
    for (let round = 0; round < 1_500; round++) {
      const dimensions = randomScope(random);
      scopes.set(identity(dimensions), dimensions);
    }
    const keys = ["", "a", "|", "user=a|a", "@tenant=a|a"];
    for (const [id, dimensions] of scopes) {
      for (const key of keys) scoped(cache, dimensions).set(key, JSON.stringify([id, key]));
    }
    expect(cache.size).toBe(scopes.size * keys.length);
    for (const [id, dimensions] of [...scopes].slice(0, 100)) {
      const view = scoped(cache, dimensions);
      const found = [...view.entries()].map(([key, value]) => [key, JSON.parse(value)]);
      expect(found.sort()).toEqual(keys.map((key) => [key, [id, key]]).sort());
      view.clear();
      scopes.delete(id);
      expect(cache.size).toBe(scopes.size * keys.length);
    }
  });

  test.each([
    [{}],
    [{ tenant: undefined }],
    [{ tenant: null }],
    [{ tenant: "" }],
    [{ "": "a" }],
    [{ tenant: Number.NaN }],
    [{ tenant: {} }],
    [[]],
    ["tenant"],
    [undefined],
  ])("is refused for %j", (dimensions) => {
    expect(thrownBy(() => scoped(newCache(), dimensions as never))).toBeInstanceOf(InvalidArgumentError);
  });

  test("can't be left by a scope within it", () => {
    const acme = scoped(newCache(), { tenant: "acme" });
    expect(thrownBy(() => acme.scope({ tenant: "other" })).message).toContain('"acme"');
    expect(acme.scope({ tenant: "acme", user: 1 }).dimensions).toEqual({ tenant: "acme", user: "1" });
  });

  test("hands wrong arguments to the cache, which says what is wrong with them", async () => {
    const view = scoped(newCache<number>(), { tenant: "acme" });
    expect(thrownBy(() => view.get(5 as never))).toBeInstanceOf(InvalidKeyError);
    expect(thrownBy(() => view.set("x".repeat(65_536), 1))).toMatchObject({ code: "ERR_KEY_TOO_LONG" });
    for (const wrong of [
      () => view.getMany(5 as never),
      () => view.setMany([5] as never),
      () => view.keys({ prefix: 5 } as never),
    ]) {
      expect(thrownBy(wrong)).toBeInstanceOf(InvalidArgumentError);
    }
    await expect(view.getOrLoad("a", 5 as never)).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(view.getOrLoad(5 as never, () => 1)).rejects.toBeInstanceOf(InvalidKeyError);
  });

  test("ends when it is closed, and the cache goes on", () => {
    const cache = newCache<number>();
    const view = scoped(cache, { tenant: "acme" });
    view.set("a", 1);
    view.close();
    view[Symbol.dispose]();
    expect(thrownBy(() => view.get("a"))).toBeInstanceOf(CacheClosedError);
    expect(scoped(cache, { tenant: "acme" }).get("a")).toBe(1);
  });
});

describe("a cache that demands a scope", () => {
  test("refuses every use of a key without it, and names what is missing", async () => {
    const cache = newCache<number>();
    const guarded = requireScope(cache, ["tenant", "locale"]);
    const uses = [
      () => guarded.get("a"),
      () => guarded.set("a", 1),
      () => guarded.has("a"),
      () => guarded.delete("a"),
      () => guarded.peek("a"),
      () => guarded.ttl("a"),
      () => guarded.touch("a"),
      () => guarded.getMany(["a"]),
      () => guarded.setMany([["a", 1]]),
      () => guarded.deleteMany(["a"]),
      () => guarded.deletePrefix("a"),
      () => guarded.clear(),
      () => guarded.keys(),
      () => guarded.entries(),
      () => guarded.size,
      () => guarded.expire("a"),
      () => guarded.deletePattern("a"),
      () => guarded.bumpVersion(),
      () => guarded.getOrSet("a", () => 1),
      () => guarded.wrap(() => 1, { key: () => "a" }),
      () => guarded.refreshEvery(["a"], "1h", () => 1),
      () => guarded.scope({ tenant: "acme" }).invalidateTags("a"),
      () => guarded.scope({ tenant: "acme" }).get("a"),
    ];
    for (const use of uses) expect(thrownBy(use)).toBeInstanceOf(ScopeRequiredError);
    await expect(guarded.getOrLoad("a", () => 1)).rejects.toBeInstanceOf(ScopeRequiredError);
    expect(thrownBy(() => guarded.get("a"))).toMatchObject({
      code: "ERR_SCOPE_REQUIRED",
      missing: ["tenant", "locale"],
      message: expect.stringContaining('"tenant", "locale"'),
    });
    expect(thrownBy(() => guarded.scope({ tenant: "acme" }).get("a"))).toMatchObject({ missing: ["locale"] });
    expect(cache.size).toBe(0);
  });

  test("works in a scope that has all of it, and is the cache for stats and close", () => {
    const cache = newCache<number>();
    const guarded = requireScope(cache, ["tenant"]);
    const view = guarded.scope({ tenant: "acme", user: 1 });
    view.set("a", 1);
    expect([view.get("a"), guarded.stats().entries]).toEqual([1, 1]);
    guarded.close();
    expect(thrownBy(() => cache.get("a"))).toBeInstanceOf(CacheClosedError);
  });

  test.each([[[]], ["tenant"], [[5]], [[""]], [undefined]])("needs names: %j is refused", (names) => {
    expect(thrownBy(() => requireScope(newCache(), names as never))).toBeInstanceOf(InvalidArgumentError);
  });
});
