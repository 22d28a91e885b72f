// What the page and the summary both show of a report, and how numbers are written.
import { TIMER } from "../lib/latency.mjs";

export const PERCENTILES = { p50: 0.5, p95: 0.95, p99: 0.99, p999: 0.999 };

/** Nanoseconds with three digits and the unit that fits. */
export function duration(ns) {
  if (ns === undefined || !Number.isFinite(ns)) {
    return "-";
  }
  const [unit, size] = ns < 1000 ? ["ns", 1] : ns < 1e6 ? ["µs", 1e3] : ["ms", 1e6];
  return `${threeDigits(ns / size)} ${unit}`;
}

export function threeDigits(number) {
  return number >= 100 ? String(Math.round(number)) : String(Number(number.toPrecision(3)));
}

export function rate(perSecond) {
  return perSecond === undefined ? "-" : `${threeDigits(perSecond / 1e6)} million/s`;
}

/** A ratio and the interval of its median: `0.35 (0.34 to 0.36)`. */
export function ratioText(ratio) {
  return ratio === undefined ? "" : `${twoDigits(ratio.median)} (${twoDigits(ratio.low)} to ${twoDigits(ratio.high)})`;
}

function twoDigits(number) {
  return number < 0.1 ? number.toPrecision(1) : number.toFixed(2);
}

export function machineOf({ processors, processor, memoryGiB, system, node }) {
  return `${processors} x ${processor}, ${memoryGiB} GiB, ${system}, Node.js ${node}`;
}

/** As bench/compare/src/threads.rs calls work that needs nothing but the processor. */
export const BARE_LOOP = "a bare loop";

/** How much the machine itself gives to several threads. */
export function machineLimit(engine) {
  const loop = engine.scaling[0].stores.find(({ name }) => name === BARE_LOOP);
  const { threads, timesOneThread } = loop.byThreads.at(-1);
  return `What this machine had to give: in the same rounds ${threads} threads of a bare loop, without any memory that they share, did ${timesOneThread.median.toFixed(2)} times as much as one. Near 1, its processors share a core: then reads gain only where one thread waits for memory while the other works.`;
}

/** What a scenario of the JavaScript part is called. */
export function titleOf({ what, entries, keys }) {
  const names = { hit: "hit", "record hit": "hit, records", miss: "miss", overwrite: "set, existing key" };
  return `${names[what]}, ${entries.toLocaleString("en")}, ${keys === "same" ? "same keys" : "fresh keys"}`;
}

/** Rows of the published figures with ours beside them: `{ what, theirs, said, ours, measured }`. */
export function besidePublished(report) {
  const own = ownFigures(report);
  return report.published.figures.map(({ what, ns, perSecond, said, ours }) => ({
    what,
    theirs: ns === undefined ? rate(perSecond) : duration(ns),
    said,
    ...(own[ours] ?? { ours: "-", measured: "not measured in this run" }),
  }));
}

function ownFigures({ javascriptFew, javascriptLatency, engine, redis }) {
  const figures = {};
  const mean = timeOfFew(javascriptFew, "l0-hit", 1000)?.nearcache.median;
  const l0 = javascriptLatency?.[0].latency;
  const overLoopback = redis?.latency["Redis, loopback"];
  for (const percentile of Object.keys(PERCENTILES)) {
    if (l0 !== undefined) {
      figures[`l0-${percentile}`] = {
        ours: duration(l0.nearcache[percentile]),
        measured: `from JavaScript, timer included (the timer alone: ${duration(l0[TIMER][percentile])}${percentile === "p50" && mean !== undefined ? `; a mean read without it: ${duration(mean)}` : ""})`,
      };
    }
    if (overLoopback !== undefined) {
      figures[`redis-${percentile}`] = {
        ours: duration(overLoopback[percentile]),
        measured: "this machine's redis-server over loopback, ioredis: no network between",
      };
    }
  }
  const scaling = engine?.scaling[0]?.stores.find(({ name }) => name === "nearcache").byThreads;
  if (scaling !== undefined) {
    const [one, all] = [scaling[0], scaling.at(-1)];
    figures["rate-one"] = {
      ours: rate(one.millionPerSecond.median * 1e6),
      measured: "inside our engine, value copied out",
    };
    figures["rate-all"] = {
      ours: rate(all.millionPerSecond.median * 1e6),
      measured: `reads by ${all.threads} threads together`,
    };
  }
  const hit = engine?.results.find(({ case: name }) => name === "get, hit")?.stores[0];
  if (hit !== undefined) {
    figures.l1 = {
      ours: duration(hit.nsPerOperation.median),
      measured: "inside our engine, value copied out, 10,000 entries",
    };
  }
  return figures;
}

/** nearcache's costs in one row each, for the top of the page: `[what, ns, how]`. */
export function headline({ javascriptFew, engine }) {
  const timeOf = (name, entries, what) => timeOfFew(javascriptFew, name, entries, what)?.nearcache.median;
  const engineTime = (name) =>
    engine?.results.find((one) => one.case === name && one.entries === 10_000)?.stores[0].nsPerOperation.median;
  return [
    ["L0 hit", timeOf("l0-hit", 1000), "JavaScript, 1,000 strings of 100 bytes"],
    ["L0 hit", timeOf("object-hit", 1000), "JavaScript, 1,000 records of 15 fields"],
    ["L1 hit", timeOf("l1-hit", 1000), "JavaScript, 1,000 strings, l0: false"],
    ["L1 hit", timeOf("l1-hit", 100_000), "JavaScript, 100,000 strings, l0: false, read evenly"],
    ["miss", timeOf("writes", 100_000, "miss"), "JavaScript, 100,000 entries, l0: false"],
    ["set", timeOf("writes", 100_000, "overwrite"), "JavaScript, of an existing key among 100,000"],
    ["set", timeOf("writes", 100_000, "insert and evict"), "JavaScript, of a new key, 100,000 entries, full"],
    ["L1 hit", engineTime("get, hit"), "inside the engine, 10,000 entries, value copied out"],
    ["miss", engineTime("get, miss"), "inside the engine, 10,000 entries"],
    ["set", engineTime("set, overwrite"), "inside the engine, of an existing key among 10,000"],
  ].filter(([, ns]) => ns !== undefined);
}

function timeOfFew(few, name, entries, what) {
  const found = few?.find((one) => one.case === name && one.entries === entries && one.what === what);
  return found?.nsPerOperation;
}
