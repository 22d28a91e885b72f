// The proof of coherence: four processes, one of which writes; a thousand keys; connections that are cut, half-closed, held
// back and delayed at random. No process ever sees an older version of a key than it has already seen, and after the last
// fault every process comes to see what was written last. `npm run chaos` runs it for longer.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../support/bundle.js";
import { judge } from "../support/coherence/history.js";
import type { Order, Report, Role } from "../support/coherence/messages.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { Random } from "../support/random.js";
import { startRedis } from "../support/redis.js";

const SECONDS = Number(process.env["NEARCACHE_CHAOS_SECONDS"] ?? 4);
const SEED = Number(process.env["NEARCACHE_CHAOS_SEED"] ?? 1);
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

  constructor(proxy: TcpProxy, role: Role) {
    this.proxy = proxy;
    this.#child = fork(script, [JSON.stringify(role)]);
    children.push(this.#child);
    this.#child.on("message", (report: Report) => this.#reports.push(report));
  }

  tell(order: Order): void {
    this.#child.send(order);
  }

  async report<T extends Report["type"]>(type: T): Promise<Extract<Report, { type: T }>> {
    while (this.#reports.length === 0) {
      const ended = once(this.#child, "exit").then(() => Promise.reject(new Error("a process has ended")));
      await Promise.race([once(this.#child, "message"), ended]);
    }
    const report = this.#reports.shift() as Report;
    if (report.type !== type) throw new Error(`${report.type} was reported instead of ${type}`);
    return report as Extract<Report, { type: T }>;
  }
}

/** One fault at a time, somewhere. Resolves when it is over, with its name. */
async function disturb(proxy: TcpProxy, random: Random): Promise<string> {
  const connection = proxy.connections[random.below(Math.max(1, proxy.connections.length))];
  const lastMs = 20 + random.below(random.pick([100, 1_500]));
  const faults: Record<string, () => void> = {
    "cut all": () => proxy.cut(),
    "cut one": () => connection?.cut(),
    "half-close": () => connection?.halfClose(random.pick(["toServer", "toClient"])),
    "hold one back": () => connection?.blackhole(random.pick(["toServer", "toClient", undefined])),
    "hold all back": () => proxy.blackhole(),
    delay: () => proxy.delay(1 + random.below(50)),
    "cut and refuse": () => {
      proxy.refuse();
      proxy.cut();
    },
  };
  const name = random.pick(Object.keys(faults));
  faults[name]?.();
  await pause(lastMs);
  proxy.heal();
  return name;
}

/** Faults at each process, independently, until the time is over. How many there were of each kind. */
async function disturbAll(members: readonly Member[], seconds: number, seed: number): Promise<Map<string, number>> {
  const until = performance.now() + 1_000 * seconds;
  const counts = new Map<string, number>();
  const disturbOne = async ({ proxy }: Member, index: number): Promise<void> => {
    const random = new Random(seed * 100 + index);
    while (performance.now() < until) {
      await pause(random.below(400));
      const name = await disturb(proxy, random);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  };
  await Promise.all(members.map(disturbOne));
  return counts;
}

async function startMembers(mode: Role["mode"], seed: number): Promise<Member[]> {
  const server = await startRedis();
  const members: Member[] = [];
  for (let index = 0; index < PROCESSES; index++) {
    const proxy = await startProxy(server.port);
    const role = { mode, port: proxy.port, seed: seed + index, keyCount: KEYS, isWriter: index === 0 };
    members.push(new Member(proxy, role));
  }
  await Promise.all(members.map((member) => member.report("ready")));
  return members;
}

describe("four processes under faults, seed by seed", () => {
  test.each(["tracking", "stream"] as const)(
    "never go back, and come together (%s)",
    { timeout: 200_000 },
    async (mode) => {
      const members = await startMembers(mode, SEED);
      for (const member of members) member.tell({ type: "run" });
      const faults = await disturbAll(members, SECONDS, SEED);
      // The last heal is behind us; the writer goes on until what it began is stored for certain.
      for (const member of members) member.tell({ type: "stop" });
      const stops = await Promise.all(members.map((member) => member.report("stopped")));
      const [{ attempts, expected }] = stops as [(typeof stops)[number]];
      for (const member of members) member.tell({ type: "converge", expected });
      const ends = await Promise.all(members.map((member) => member.report("converged")));
      const convergedMs = Math.round(performance.now() - healed);

      const writes = expected.filter((value) => value > 0).length;
      const shown = {
        ...{ mode, seed: SEED, seconds: SECONDS, faults: Object.fromEntries(faults), keysWritten: writes },
        ...{ writes: attempts.length, reads: ends.map(({ reads }) => reads), hits: ends.map(({ hits }) => hits) },
        ...{ gaps: ends.map(({ gaps }) => gaps), convergedMs },
      };
      if (SECONDS > 10) console.log(JSON.stringify(shown));
      expect(
        judge(
          ends.map(({ pairs }) => pairs),
          new Map(attempts),
        ),
      ).toEqual([]);
      expect(
        ends.every(({ ms }) => Number.isFinite(ms)),
        JSON.stringify(shown),
      ).toBe(true);
      if (SECONDS > 10) expect(convergedMs).toBeLessThan(CONVERGENCE_MS_MAX);
      // It was a real trial: there were faults, and most reads were answered without Redis.
      expect(Math.min(...ends.map(({ hits, reads }) => hits / reads)), JSON.stringify(shown)).toBeGreaterThan(0.05);
      expect([...faults.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(SECONDS);
    },
  );
});

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
