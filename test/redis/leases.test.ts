// Leases: one loads at a time, a change by anybody cancels the load's write, and what is nobody's business changes nothing.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tier, TierAnswer } from "../../ts/tier.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { entryOf, newTier, read, textOf } from "../support/tiers.js";
import { until } from "../support/wait.js";

const LONG = { leaseMs: 60_000 };
const NONE = { leaseMs: 0 };

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

function processes(count: number): Tier[] {
  prefixes++;
  return Array.from({ length: count }, () => newTier({ url: server.url, prefix: `t${prefixes}:` }).tier);
}

/** The lease, which must be there. */
function leaseOf(answer: TierAnswer): string {
  if (answer.lease === undefined) throw new Error("there is no lease");
  return answer.lease;
}

const stale = (text: string) => entryOf(text, { freshMs: 0, liveMs: 60_000 });

describe("a lease", () => {
  test("goes to one of all who ask at the same time", async () => {
    const tiers = processes(4);
    const answers = await Promise.all(tiers.flatMap((tier) => [tier.get("k", LONG), tier.get("k", LONG)]));
    expect(answers.filter(({ lease }) => lease !== undefined)).toHaveLength(1);
    expect(answers.filter(({ isHeld }) => isHeld)).toHaveLength(7);
  });

  test("is given where there is nothing, a stale entry, or one that a tag has invalidated; not where there is a fresh one", async () => {
    const [tier] = processes(1) as [Tier];
    await tier.set("stale", stale("s"), {});
    await tier.set("tagged", entryOf("t", { tags: ["x"] }), {});
    await tier.invalidateTags(["x"]);
    await tier.set("fresh", entryOf("f"), {});
    const [none, old, tagged, fresh] = await Promise.all(
      ["none", "stale", "tagged", "fresh"].map((key) => tier.get(key, LONG)),
    );
    expect([none, old, tagged, fresh].map((answer) => answer?.lease !== undefined)).toEqual([true, true, true, false]);
    expect([none, old, tagged, fresh].map((answer) => answer && textOf(answer))).toEqual([
      undefined,
      "s",
      undefined,
      "f",
    ]);
  });

  test("is not given to those who ask for none, and does not keep them from seeing it is held", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    expect((await one.get("k", NONE)).lease).toBeUndefined();
    leaseOf(await one.get("k", LONG));
    expect(await other.get("k", NONE)).toMatchObject({ lease: undefined, isHeld: true, entry: undefined });
  });

  test("stores the value, and ends with that", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    for (const before of [undefined, stale("old")]) {
      if (before) await one.set("k", before, {});
      const lease = leaseOf(await one.get("k", LONG));
      expect(await one.set("k", stale("new"), { lease })).toBe(true);
      expect(textOf(await other.get("k", NONE))).toBe("new");
      expect(await one.set("k", entryOf("again"), { lease })).toBe(false);
      leaseOf(await other.get("k", LONG));
      await other.delete(["k"]);
    }
  });

  test("ends after its time, and then does not store over another's", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    for (const key of ["nothing", "stale"]) {
      if (key === "stale") await one.set(key, stale("old"), {});
      const slow = leaseOf(await one.get(key, { leaseMs: 1 }));
      let quick: TierAnswer | undefined;
      await until(async () => {
        quick = await other.get(key, LONG);
        return quick.lease !== undefined;
      }, "the lease does not end");
      expect(await one.set(key, entryOf("slow"), { lease: slow })).toBe(false);
      expect(await other.set(key, entryOf("quick"), { lease: leaseOf(quick as TierAnswer) })).toBe(true);
      expect(await one.set(key, entryOf("slow"), { lease: slow })).toBe(false);
      expect(await read(one, key)).toBe("quick");
    }
  });

  test("carries a number that grows with every lease and every write of the key", async () => {
    const [tier] = processes(1) as [Tier];
    const numbers: number[] = [];
    for (let i = 0; i < 20; i++) {
      const lease = leaseOf(await tier.get("k", LONG));
      numbers.push(Buffer.from(lease.split(".").at(-1) as string, "hex").readDoubleBE());
      if (i % 2 === 0) await tier.set("k", stale(String(i)), { lease });
      else await tier.release("k", lease);
    }
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(20);
  });
});

describe("a change while somebody loads", () => {
  const changes: Record<string, (tier: Tier) => Promise<unknown>> = {
    "a delete": (tier) => tier.delete(["k"]),
    "a delete by pattern": (tier) => tier.deletePattern("*"),
    "an expiry": (tier) => tier.expire("k"),
    "a write": (tier) => tier.set("k", entryOf("theirs"), {}),
    "an invalidation of a tag of the value": (tier) => tier.invalidateTags(["x"]),
    "a new version": (tier) => tier.bumpVersion(),
    "a delete by a foreign client": async () => {
      const client = server.client();
      await client.del(...(await client.keys(`t${prefixes}:v*`)));
    },
  };

  describe.each(Object.entries(changes))("%s", (_, change) => {
    test.each(["nothing", "a stale entry"])("cancels the write of what is loaded where there was %s", async (there) => {
      const [one, other] = processes(2) as [Tier, Tier];
      if (there !== "nothing") await other.set("k", stale("old"), {});
      const answer = await one.get("k", LONG);
      await change(other);
      expect(await one.set("k", entryOf("loaded", { tags: ["x"] }), { lease: leaseOf(answer) })).toBe(false);
      expect(await read(other, "k")).not.toBe("loaded");
    });

    test("cancels the write of one who did not wait for the lease's holder", async () => {
      const [one, other, holder] = processes(3) as [Tier, Tier, Tier];
      leaseOf(await holder.get("k", LONG));
      const { asOf, isHeld } = await one.get("k", LONG);
      expect(isHeld).toBe(true);
      await change(other);
      expect(await one.set("k", entryOf("loaded", { tags: ["x"] }), { asOf })).toBe(false);
    });
  });

  test("does not concern those who load other keys, or whose value has other tags", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    const lease = leaseOf(await one.get("k", LONG));
    // The tag is known before: of one that is not, nobody could say that it was not invalidated.
    await other.set("else", entryOf("x", { tags: ["x", "y"] }), {});
    await other.invalidateTags(["y"]);
    await other.delete(["else"]);
    expect(await one.set("k", entryOf("loaded"), { lease })).toBe(true);
    expect(await read(other, "k")).toBe("loaded");
  });

  test("lets one who did not wait store where nothing has changed, and then not the holder", async () => {
    const [one, holder] = processes(2) as [Tier, Tier];
    const lease = leaseOf(await holder.get("k", LONG));
    const { asOf } = await one.get("k", LONG);
    expect(await one.set("k", entryOf("quicker"), { asOf })).toBe(true);
    expect(await holder.set("k", entryOf("slower"), { lease })).toBe(false);
    expect(await read(holder, "k")).toBe("quicker");
  });
});

describe("release", () => {
  test("lets the next one load, and leaves what was there", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    await one.set("stale", stale("old"), {});
    for (const key of ["nothing", "stale"]) {
      await one.release(key, leaseOf(await one.get(key, LONG)));
      leaseOf(await other.get(key, LONG));
    }
    expect(await read(one, "stale")).toBe("old");
  });

  test("works for the holder only", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    const lease = leaseOf(await one.get("k", LONG));
    const forged = lease.replace(/^.{16}/, "0123456789abcdef");
    for (const wrong of [forged, "", "x", "0".repeat(16), lease.slice(1)]) {
      await other.release("k", wrong);
      expect(await other.set("k", entryOf("forged"), { lease: wrong })).toBe(false);
    }
    await one.release("other", lease);
    expect((await other.get("k", LONG)).isHeld).toBe(true);
    expect(await one.set("k", entryOf("loaded"), { lease })).toBe(true);
  });

  test("after a change takes nothing away", async () => {
    const [one, other] = processes(2) as [Tier, Tier];
    const lease = leaseOf(await one.get("k", LONG));
    await other.set("k", entryOf("theirs"), {});
    await one.release("k", lease);
    expect(await read(one, "k")).toBe("theirs");
  });
});
