// Tiers in Redis for one test, closed after it, with what they tell their host.
import { afterEach } from "vitest";
import type { RedisTierOptions } from "../../ts/redis/index.js";
import { redisTier } from "../../ts/redis/index.js";
import type { Tier, TierAnswer, TierEntry, TierEvent } from "../../ts/tier.js";

const open: Tier[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((tier) => tier.close()));
});

/** What a tier told its host, in order. */
export interface Told {
  readonly invalidated: string[];
  readonly tags: string[];
  all: number;
  readonly events: TierEvent[];
}

export interface AttachedTier {
  readonly tier: Tier;
  readonly told: Told;
}

/**
 * A tier, attached to a host that writes down what it is told. It has more patience than by default, as a shared machine
 * may be slow, and does not listen to others; tests of its impatience and of its ears say so.
 */
export function newTier(options: RedisTierOptions): AttachedTier {
  const tier = redisTier({ commandTimeout: "10s", connectTimeout: "10s", coherence: "ttl-only", ...options });
  open.push(tier);
  const told: Told = { invalidated: [], tags: [], all: 0, events: [] };
  tier.attach({
    invalidate: (keys) => void told.invalidated.push(...keys),
    invalidateTags: (tags) => void told.tags.push(...tags),
    invalidateAll: () => {
      told.all++;
    },
    report: (event) => void told.events.push(event),
  });
  return { tier, told };
}

/** An entry that holds a text; fresh for a minute and there for two unless the test says otherwise. */
export function entryOf(text: string, details: Partial<TierEntry> = {}): TierEntry {
  return { kind: 1, bytes: Buffer.from(text), freshMs: 60_000, liveMs: 120_000, loadMs: 0, tags: [], ...details };
}

/** The text that an answer brought, and undefined where it brought none. */
export function textOf({ entry }: TierAnswer): string | undefined {
  return entry && Buffer.from(entry.bytes).toString();
}

/** What a key holds at the tier, as a text. */
export async function read(tier: Tier, key: string): Promise<string | undefined> {
  return textOf(await tier.get(key, { leaseMs: 0 }));
}
