/**
 * A second tier in this process's memory: what Redis is to a cache, for tests. Several tiers on one {@link MemoryStore}
 * are like several processes on one Redis; its clock is the test's, and it can be taken away and brought back.
 */
import { TierError } from "../errors.js";
import type { Tier, TierAnswer, TierEntry, TierHost, TierLookUp, TierStats, TierWrite } from "../tier.js";

interface Held {
  readonly entry: TierEntry;
  /** When it was stored, by the store's clock, and how long it is fresh. */
  readonly freshUntil: number;
  readonly liveUntil: number;
  readonly generations: readonly number[];
  readonly version: number;
  /** What the keys that it was built from had then. */
  readonly seen: Seen;
}

/** What some keys hold; whatever is written is another object. */
type Seen = ReadonlyMap<string, Held>;

interface Lease {
  readonly id: string;
  readonly until: number;
  readonly seen: Seen;
}

/** What all the tiers share. */
export class MemoryStore {
  /** What is stored, by key. */
  readonly entries = new Map<string, Held>();
  /** Who may load, by key. */
  readonly leases = new Map<string, Lease>();
  /** How often each tag was invalidated. */
  readonly generations = new Map<string, number>();
  /** The tiers of all processes. */
  readonly tiers = new Set<MemoryTier>();
  /** How often the version was bumped. */
  version = 0;
  /** While true, everything fails. */
  isDown = false;
  /** The store's clock, in milliseconds. Replace it with the test's own. */
  now: () => number = () => performance.now();
  #leases = 0;

  /** A name for a lease that no other lease has. */
  nextLease(): string {
    this.#leases++;
    return `lease ${this.#leases}`;
  }
}

const ABSENT: TierAnswer = { entry: undefined, lease: undefined, isHeld: false };

/** One process's tier on a {@link MemoryStore}. */
export class MemoryTier implements Tier {
  readonly name = "memory";
  readonly #store: MemoryStore;
  #host: TierHost | undefined = undefined;
  /** Settles with the last operation: they are done one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #counts = { hits: 0, misses: 0, writes: 0, errors: 0, messages: 0 };

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  attach(host: TierHost): void {
    this.#host = host;
    this.#store.tiers.add(this);
  }

  get(key: string, { leaseMs, dependsOn = [] }: TierLookUp): Promise<TierAnswer> {
    return this.#inTurn((): TierAnswer => {
      const store = this.#store;
      if (store.isDown) {
        this.#counts.errors++;
        this.#counts.misses++;
        return ABSENT;
      }
      const now = store.now();
      const entry = this.#read(key, now);
      this.#counts[entry === undefined ? "misses" : "hits"]++;
      if (leaseMs === 0 || (entry !== undefined && entry.freshMs > 0)) {
        return { ...ABSENT, entry };
      }
      const held = store.leases.get(key);
      if (held !== undefined && held.until > now) {
        return { entry, lease: undefined, isHeld: true };
      }
      const lease = store.nextLease();
      const seen = new Map(
        dependsOn.flatMap((on) => (this.#read(on, now) ? [[on, store.entries.get(on) as Held]] : [])),
      );
      store.leases.set(key, { id: lease, until: now + leaseMs, seen });
      return { entry, lease, isHeld: false };
    });
  }

  set(key: string, entry: TierEntry, { lease }: TierWrite): Promise<boolean> {
    return this.#inTurn(() => {
      this.#check("set");
      const store = this.#store;
      const held = store.leases.get(key);
      if (lease !== undefined && held?.id !== lease) {
        return false;
      }
      store.leases.delete(key);
      const { dependsOn = [] } = entry;
      const seen: Seen = (lease !== undefined && held?.seen) || new Map();
      if (!dependsOn.every((on) => seen.has(on))) {
        return false;
      }
      const now = store.now();
      store.entries.set(key, {
        entry,
        freshUntil: now + entry.freshMs,
        liveUntil: now + entry.liveMs,
        generations: entry.tags.map((tag) => store.generations.get(tag) ?? 0),
        version: store.version,
        seen: new Map([...seen].filter(([on]) => dependsOn.includes(on))),
      });
      this.#counts.writes++;
      this.#tell((host) => host.invalidate([key]));
      return true;
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#inTurn(() => {
      this.#check("delete");
      for (const key of keys) {
        this.#store.entries.delete(key);
        this.#store.leases.delete(key);
      }
      this.#tell((host) => host.invalidate(keys));
    });
  }

  expire(key: string): Promise<void> {
    return this.#inTurn(() => {
      this.#check("expire");
      const held = this.#store.entries.get(key);
      if (held !== undefined) {
        this.#store.entries.set(key, { ...held, freshUntil: this.#store.now() });
      }
      this.#tell((host) => host.invalidate([key]));
    });
  }

  deletePattern(pattern: string): Promise<number> {
    return this.#inTurn(() => {
      this.#check("deletePattern");
      const escaped = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const fits = new RegExp(`^${escaped.join("[^]*")}$`);
      const keys = [...this.#store.entries.keys()].filter((key) => fits.test(key));
      for (const key of keys) {
        this.#store.entries.delete(key);
      }
      this.#tell((host) => host.invalidate(keys));
      return keys.length;
    });
  }

  invalidateTags(tags: readonly string[]): Promise<void> {
    return this.#inTurn(() => {
      this.#check("invalidateTags");
      for (const tag of tags) {
        this.#store.generations.set(tag, (this.#store.generations.get(tag) ?? 0) + 1);
      }
      this.#tell((host) => host.invalidateTags(tags));
    });
  }

  bumpVersion(): Promise<void> {
    return this.#inTurn(() => {
      this.#check("bumpVersion");
      this.#store.version++;
      this.#tell((host) => host.invalidateAll());
    });
  }

  async release(key: string, lease: string): Promise<void> {
    if (this.#store.leases.get(key)?.id === lease) {
      this.#store.leases.delete(key);
    }
  }

  async touch(_keys: readonly string[]): Promise<void> {
    // Nothing is evicted here.
  }

  async close(): Promise<void> {
    this.#store.tiers.delete(this);
  }

  stats(): TierStats {
    return {
      name: this.name,
      ...this.#counts,
      timeouts: 0,
      undecodable: 0,
      skipped: 0,
      breaker: "closed",
      coherence: "stream",
      gaps: 0,
    };
  }

  #read(key: string, now: number): TierEntry | undefined {
    const { entries, generations, version } = this.#store;
    const held = entries.get(key);
    const isCurrent =
      held !== undefined &&
      held.liveUntil > now &&
      held.version === version &&
      held.entry.tags.every((tag, index) => (generations.get(tag) ?? 0) === held.generations[index]) &&
      [...held.seen].every(([on, was]) => entries.get(on) === was && was.liveUntil > now);
    if (held === undefined || !isCurrent) {
      return undefined;
    }
    return { ...held.entry, freshMs: Math.max(0, held.freshUntil - now), liveMs: held.liveUntil - now };
  }

  /** Does something when all that was asked for before is done. */
  #inTurn<R>(body: () => R): Promise<R> {
    const done = this.#last.then(body);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #check(operation: string): void {
    if (this.#store.isDown) {
      this.#counts.errors++;
      throw new TierError("ERR_TIER", `The memory tier is down: ${operation} was not done.`, { operation });
    }
  }

  #tell(message: (host: TierHost) => void): void {
    for (const tier of this.#store.tiers) {
      if (tier !== this && tier.#host !== undefined) {
        tier.#counts.messages++;
        message(tier.#host);
      }
    }
  }
}
