// The plots of the report as SVG, by Observable Plot over a document that exists in memory alone.

import { percentile } from "../lib/histogram.mjs";
import { TIMER } from "../lib/latency.mjs";

const { Plot, document } = await load();

const WIDTH = 860;
const FONT = { fontFamily: "system-ui, sans-serif", fontSize: "12px", background: "#fff", color: "#222" };
/** The same contestant has the same colour in every plot. */
const COLORS = {
  nearcache: "#1b5eb8",
  "nearcache l0: false": "#74a9e8",
  Map: "#6b6b6b",
  "lru-cache": "#c25b12",
  lru: "#c25b12",
  "node-cache": "#b8860b",
  keyv: "#8a5fb0",
  cacheable: "#c94f8c",
  bentocache: "#2a8a4a",
  lmdb: "#7a4b2a",
  quick_cache: "#2a8a4a",
  moka: "#c94f8c",
  papaya: "#8a5fb0",
  dashmap: "#b8860b",
  "Mutex<hashbrown>": "#6b6b6b",
  "s3-fifo": "#8a5fb0",
  "Redis, loopback": "#b3261e",
  "Redis, Unix socket": "#e8837c",
  [TIMER]: "#aaaaaa",
};
/** Where the curves of latencies are drawn, as shares of the reads that are slower: from every second to one of 1,000. */
const SLOWER = [0.5, 0.4, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001];
const SLOWER_TICKS = [0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001];

async function load() {
  try {
    const Plot = await import("@observablehq/plot");
    const { parseHTML } = await import("linkedom");
    return { Plot, document: parseHTML("<!doctype html><html><body></body></html>").document };
  } catch (error) {
    throw new Error("what draws the report is not installed: `npm run bench:report` does that", { cause: error });
  }
}

function colors(names) {
  const known = names.filter((name) => COLORS[name] !== undefined);
  return { domain: known, range: known.map((name) => COLORS[name]), legend: true };
}

/** Plot's output as text. linkedom writes some attributes of SVG in lower case only where HTML would have them so. */
function svg(options) {
  return Plot.plot({ document, width: WIDTH, marginTop: 30, marginBottom: 46, style: FONT, ...options }).outerHTML;
}

/** `latency`: `{ [name]: histogram }`. Time over the share of the reads that are slower, both logarithmic. */
export function latencyPlot(latency, names) {
  const present = names.filter((name) => latency[name] !== undefined);
  const points = present.flatMap((name) => {
    const { buckets, operations } = latency[name];
    return SLOWER.map((slower) => ({
      name,
      place: nines(slower),
      ns: Math.max(1, percentile(buckets, operations, 1 - slower)),
    }));
  });
  return svg({
    height: 420,
    marginLeft: 64,
    marginRight: 20,
    color: colors(present),
    // Each tenth of the slower reads takes as much room as the nine tenths before it.
    x: {
      label: "reads that are faster →",
      ticks: SLOWER_TICKS.map(nines),
      tickFormat: (place) => `${Number((100 - 100 * 10 ** -place).toFixed(1))} %`,
      grid: true,
    },
    y: {
      type: "log",
      label: "↑ time of one read, timer included",
      tickFormat: nsTick,
      ...decades(points.map(({ ns }) => ns)),
      grid: true,
    },
    marks: [
      Plot.line(
        points.filter(({ name }) => name === TIMER),
        { x: "place", y: "ns", stroke: "name", strokeDasharray: "4 3", strokeWidth: 1.5 },
      ),
      Plot.line(
        points.filter(({ name }) => name !== TIMER),
        { x: "place", y: "ns", stroke: "name", strokeWidth: (point) => (point.name === "nearcache" ? 3 : 1.8) },
      ),
    ],
  });
}

/** `rows`: `{ name, group, ns }`. One line per contestant, one dot per group, on a logarithmic axis. */
export function timesPlot(rows) {
  const names = [...new Set(rows.map(({ name }) => name))];
  return svg({
    height: 60 + names.length * 30,
    marginLeft: 150,
    marginRight: 30,
    color: { legend: true, domain: [...new Set(rows.map(({ group }) => group))], scheme: "Observable10" },
    x: {
      type: "log",
      label: "time of one operation →",
      tickFormat: nsTick,
      ...decades(rows.map(({ ns }) => ns)),
      grid: true,
    },
    y: { label: null, domain: names },
    marks: [
      Plot.ruleY(names, { stroke: "#eee" }),
      Plot.dot(rows, { x: "ns", y: "name", fill: "group", r: 5, fillOpacity: 0.9 }),
    ],
  });
}

/** `rows`: `{ name, threads, perSecond }`. */
export function throughputPlot(rows) {
  const names = [...new Set(rows.map(({ name }) => name))];
  const counts = [...new Set(rows.map(({ threads }) => threads))];
  return svg({
    height: 50 + names.length * (12 + counts.length * 18),
    marginLeft: 190,
    marginRight: 50,
    color: {
      legend: true,
      type: "ordinal",
      domain: counts,
      label: "threads",
      tickFormat: (count) => `${count} ${count === 1 ? "thread" : "threads"}`,
      range: blues(counts.length),
    },
    x: { label: "million reads per second, all threads together →", grid: true },
    y: { axis: null, domain: counts },
    fy: { label: null, domain: names, padding: 0.15 },
    marks: [
      Plot.barX(rows, { x: "perSecond", y: "threads", fy: "name", fill: "threads" }),
      Plot.text(rows, {
        x: "perSecond",
        y: "threads",
        fy: "name",
        text: ({ perSecond }) => perSecond.toFixed(1),
        textAnchor: "start",
        dx: 4,
      }),
      Plot.axisFy({ anchor: "left", label: null, textAnchor: "end", dx: -6 }),
    ],
  });
}

/** `rows` of the hit ratios; a small chart per trace. */
export function hitRatioPlot(rows) {
  const names = [...new Set(rows.map(({ policy }) => policy))];
  const traces = [...new Set(rows.map(({ trace }) => trace))];
  const points = rows.map((row) => ({ ...row, percent: row.hitRatio * 100, size: row.share * 100 }));
  return svg({
    height: 330,
    marginLeft: 48,
    color: colors(names),
    fx: { label: null, domain: traces },
    x: {
      type: "log",
      label: "size of the cache, % of the trace's keys →",
      ticks: [1, 2, 5, 10, 20, 40],
      tickFormat: String,
    },
    y: { label: "↑ hit ratio, %", grid: true },
    marks: [
      Plot.frame({ stroke: "#ddd" }),
      ...names.map((name) =>
        Plot.lineY(
          points.filter(({ policy }) => policy === name),
          { fx: "trace", x: "size", y: "percent", stroke: "policy", strokeWidth: name === "nearcache" ? 3 : 1.6 },
        ),
      ),
      Plot.dot(
        points.filter(({ policy }) => policy === "nearcache"),
        { fx: "trace", x: "size", y: "percent", fill: "policy", r: 3 },
      ),
    ],
  });
}

/** `rows`: `{ name, bytes }`. */
export function memoryPlot(rows) {
  return svg({
    height: 40 + rows.length * 26,
    marginLeft: 150,
    marginRight: 50,
    color: colors(rows.map(({ name }) => name)),
    ...{ color: { ...colors(rows.map(({ name }) => name)), legend: false } },
    x: { label: "bytes per entry beyond key and value →", grid: true },
    y: { label: null, domain: rows.map(({ name }) => name) },
    marks: [
      Plot.barX(rows, { x: "bytes", y: "name", fill: "name" }),
      Plot.text(rows, { x: "bytes", y: "name", text: ({ bytes }) => bytes.toFixed(0), textAnchor: "start", dx: 4 }),
    ],
  });
}

/** How many nines a share has that is not slower: 1 for 90 %, 2 for 99 %. */
function nines(slower) {
  return -Math.log10(slower);
}

/** Ticks at 1, 10, 100 and so on, as far as the values go, and an axis that begins and ends at one. */
function decades(values) {
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const ticks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
  return { ticks, domain: [ticks[0], ticks.at(-1)] };
}

function nsTick(ns) {
  return ns < 1e3 ? `${ns} ns` : ns < 1e6 ? `${ns / 1e3} µs` : `${ns / 1e6} ms`;
}

function blues(count) {
  const all = ["#9dc1ee", "#5b93d8", "#1b5eb8", "#0f3d7a", "#082345"];
  return Array.from({ length: count }, (_, at) => all[Math.min(at, all.length - 1)]);
}
