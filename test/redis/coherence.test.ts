// The proof of coherence: four processes, one of which writes; a thousand keys; connections that are cut, half-closed, held
// back and delayed at random. No process ever sees an older version of a key than it has already seen, and after the last
// fault every process comes to see what was written last. `npm run chaos` runs it for longer.
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { bundle } from "../support/bundle.js";
import { MapOverRedis } from "../support/coherence/cache.js";
import { judge } from "../support/coherence/history.js";
import type { Order, Report, Role } from "../support/coherence/messages.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { Random } from "../support/random.js";
import { startRedis } from "../support/redis.js";
import { until } from "../support/wait.js";

const SECONDS = Number(process.env["NEARCACHE_CHAOS_SECONDS"] ?? 4);
const SEED = Number(process.env["NEARCACHE_CHAOS_SEED"] ?? 1);
/** The short trial is part of every test run; the long one says something about time, too. */
const IS_LONG = SECONDS > 10;
const ROUND_SECONDS = 2;
const REPORT_MS_MAX = 30_000;
const PROCESSES = 4;
const KEYS = 1_000;
/** What has to hold on a machine of its own, in milliseconds since the last heal. */
const CONVERGENCE_MS_MAX = 1_000;

let script: string;
beforeAll(async () => {
  script = await bundle(new URL("../support/coherence/process.ts", import.meta.url));
});

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process of the proof, behind a proxy of its own. */
class Member {
  readonly proxy: TcpProxy;
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  #isOver = false;

  constructor(proxy: TcpProxy, role: Role) {
    this.proxy = proxy;
    this.#child = fork(script, [JSON.stringify(role)]);
    children.push(this.#child);
    this.#child.on("message", (report: Report) => this.#reports.push(report));
    this.#child.on("exit", () => {
      this.#isOver = true;
    });
  }

  tell(order: Order): void {
    this.#child.send(order);
  }

  async report<T extends Report["type"]>(type: T): Promise<Extract<Report, { type: T }>> {
    await until(() => this.#reports.length > 0 || this.#isOver, `a process does not report ${type}`, REPORT_MS_MAX);
    const report = this.#reports.shift();
    if (report?.type !== type) throw new Error(`${report?.type ?? "the end"} came instead of ${type}`);
    return report as Extract<Report, { type: T }>;
  }
}

const FAULTS = [
  "cut all",
  "cut one",
  "half-close",
  "hold one",
  "hold all",
  "delay one",
  "delay all",
  "refuse",
] as const;
type Fault = (typeof FAULTS)[number];

/** One fault at a time, somewhere. Resolves when it is over, with its name. */
async function disturb(proxy: TcpProxy, random: Random): Promise<Fault> {
  const connection = proxy.connections[random.below(Math.max(1, proxy.connections.length))];
  const lastMs = 20 + random.below(random.pick([100, 1_500]));
  const faults: Record<Fault, () => void> = {
    "cut all": () => proxy.cut(),
    "cut one": () => connection?.cut(),
    "half-close": () => connection?.halfClose(random.pick(["toServer", "toClient"])),
    "hold one": () => connection?.blackhole(random.pick(["toServer", "toClient", undefined])),
    "hold all": () => proxy.blackhole(),
    // A reply comes later than the message that says it is old, or the other way round.
    "delay one": () => connection?.delay(1 + random.below(150)),
    "delay all": () => proxy.delay(1 + random.below(50)),
    refuse: () => {
      proxy.refuse();
      proxy.cut();
    },
  };
  const name = random.pick(FAULTS);
  faults[name]();
  await pause(lastMs);
  proxy.heal();
  return name;
}

/** Faults at each process, independently, until the time is over. Their names. */
async function disturbAll(members: readonly Member[], seconds: number, seed: number): Promise<Fault[]> {
  const endsAt = performance.now() + 1_000 * seconds;
  const names: Fault[] = [];
  const disturbOne = async ({ proxy }: Member, index: number): Promise<void> => {
    const random = new Random(seed * 100 + index);
    while (performance.now() < endsAt) {
      await pause(random.below(400));
      names.push(await disturb(proxy, random));
    }
  };
  await Promise.all(members.map(disturbOne));
  return names;
}

async function startMembers(kind: Role["kind"], mode: Role["mode"], seed: number): Promise<Member[]> {
  const server = await startRedis();
  const members: Member[] = [];
  for (let index = 0; index < PROCESSES; index++) {
    const proxy = await startProxy(server.port);
    const role = { kind, mode, port: proxy.port, seed: seed + index, keyCount: KEYS, isWriter: index === 0 };
    members.push(new Member(proxy, role));
  }
  await Promise.all(members.map((member) => member.report("ready")));
  return members;
}

/** Gives all the same order, and waits for what all report. */
async function ask<T extends Report["type"]>(members: readonly Member[], order: Order, answer: T) {
  for (const member of members) member.tell(order);
  return Promise.all(members.map((member) => member.report(answer)));
}

/** One round: all run under faults; then the writer stops, and all read until they have what it wrote last. */
async function tryRound(members: readonly Member[], seed: number) {
  for (const member of members) member.tell({ type: "run" });
  const faults = await disturbAll(members, ROUND_SECONDS, seed);
  const healedAt = performance.now();
  // The writer goes on until what it began is stored for certain.
  const [writer] = await ask(members, { type: "stop" }, "stopped");
  const ends = await ask(members, { type: "converge", expected: writer?.expected ?? [] }, "converged");
  const convergedMs = Math.round(performance.now() - healedAt);
  return { faults, convergedMs, hasConverged: ends.map((end) => end.hasConverged) };
}

/** Rounds, until the time is over or one fails. */
async function tryOut(kind: Role["kind"], mode: Role["mode"]) {
  const members = await startMembers(kind, mode, SEED);
  await ask(members.slice(0, 1), { type: "fill" }, "stopped");
  const rounds: Awaited<ReturnType<typeof tryRound>>[] = [];
  const endsAt = performance.now() + 1_000 * SECONDS;
  do {
    rounds.push(await tryRound(members, SEED * 1_000 + rounds.length));
  } while (performance.now() < endsAt && rounds.at(-1)?.hasConverged.every(Boolean));
  const tales = await ask(members, { type: "tell" }, "told");
  const attempts = tales[0]?.attempts ?? [];
  const faults = rounds.flatMap((round) => round.faults);
  const counts = Object.fromEntries(FAULTS.map((name) => [name, faults.filter((fault) => fault === name).length]));
  const convergedMs = rounds.map((round) => round.convergedMs);
  const [reads, hits, gaps] = [
    tales.map((tale) => tale.reads),
    tales.map((tale) => tale.hits),
    tales.map((tale) => tale.gaps),
  ];
  return {
    hasConverged: rounds.at(-1)?.hasConverged,
    figures: {
      kind,
      mode,
      seed: SEED,
      seconds: SECONDS,
      faults: counts,
      writes: attempts.length,
      reads,
      hits,
      gaps,
      convergedMs,
    },
    mistakes: judge(
      tales.map((tale) => tale.pairs),
      new Map(attempts),
    ),
  };
}

describe("four processes under faults", () => {
  const timeout = 60_000 + 2_000 * SECONDS;
  const ofCache = [["cache", "tracking"] as const, ["cache", "stream"] as const];
  const ofMap = [["map", "tracking"] as const, ["map", "stream"] as const];
  const trials = IS_LONG ? [...ofCache, ...ofMap] : ofCache;

  test.each(trials)("never go back, and come together (%s, %s)", { timeout }, async (kind, mode) => {
    const { hasConverged, figures, mistakes } = await tryOut(kind, mode);
    const shown = JSON.stringify(figures);
    if (IS_LONG) console.log(shown);
    expect(mistakes.slice(0, 10), shown).toEqual([]);
    expect(hasConverged, shown).toEqual(Array(PROCESSES).fill(true));
    if (IS_LONG) expect(Math.max(...figures.convergedMs), shown).toBeLessThan(CONVERGENCE_MS_MAX);
    // It was a real trial: there were faults of several kinds, and a good part of the reads was answered without Redis.
    const shares = figures.hits.map((hits, index) => hits / (figures.reads[index] as number));
    expect(Math.min(...shares), shown).toBeGreaterThan(0.05);
    expect(Object.values(figures.faults).filter((count) => count > 0).length, shown).toBeGreaterThan(3);
  });
});

test.each(["tracking", "stream"] as const)(
  "a reply that is older than the message about it is not kept (%s)",
  async (mode) => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    const writer = new MapOverRedis(mode, server.port);
    const reader = new MapOverRedis(mode, proxy.port, server.port, 20_000);
    const invalidate = vi.spyOn(reader, "invalidate");
    await until(() => writer.coherence() === mode && reader.coherence() === mode, "not in force");
    await until(async () => writer.set("key", 1).then(() => true), "not written");
    await until(async () => (await reader.get("key")) === 1, "not read");
    reader.invalidateAll();
    // The request gets through, the reply does not.
    const reads = async () => /cmdstat_get:calls=(\d+)/.exec(await server.client().info("commandstats"))?.[1];
    const before = await reads();
    for (const connection of proxy.connections) connection.blackhole("toClient");
    const old = reader.get("key");
    await until(async () => (await reads()) !== before, "Redis was not asked");
    const told = invalidate.mock.calls.length;
    await writer.set("key", 2);
    await until(() => invalidate.mock.calls.length > told, "the change is not told");
    proxy.heal();
    expect(await old).toBe(1);
    expect(await reader.get("key")).toBe(2);
    await Promise.all([writer.close(), reader.close()]);
  },
);

describe("the judge", () => {
  const written = new Map([
    [1, 7],
    [2, 7],
    [3, 8],
  ]);

  test("lets through what only grows, whatever was left out", () => {
    expect(
      judge(
        [
          [7, 1, 8, 3, 7, 2],
          [7, 2],
        ],
        written,
      ),
    ).toEqual([]);
  });

  test("sees a step back, also after another key, and values from nowhere", () => {
    expect(judge([[7, 2, 8, 3, 7, 1]], written)).toEqual(["process 0 went back from 2 to 1 at key 7"]);
    expect(judge([[], [8, 1, 7, 9]], written)).toEqual([
      "process 1 saw 1 at key 8: nobody wrote it there",
      "process 1 saw 9 at key 7: nobody wrote it there",
    ]);
  });
});
