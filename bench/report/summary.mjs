// The report in short, as Markdown for the summary of a job: a table, and plots as Mermaid draws them, because a summary
// shows no SVG that stands within it. The page (page.mjs) has the plots as they ought to be.
import { TRACES } from "../lib/traces.mjs";
import {
  BARE_LOOP,
  besidePublished,
  duration,
  headline,
  machineLimit,
  machineOf,
  PERCENTILES,
  threeDigits,
} from "./figures.mjs";

export function summaryOf(report) {
  return [
    `## nearcache on ${machineOf(report)}`,
    "",
    `Commit ${report.commit}, ${report.date.slice(0, 10)}, ${report.seconds} s. Nanoseconds are of this machine on this day; the artifact has the page with plots, ratios and their intervals.`,
    "",
    ...table(
      ["nearcache", "ns per operation", "where"],
      headline(report).map(([what, ns, how]) => [what, threeDigits(ns), how]),
    ),
    `### Beside what ${report.published.name} publishes`,
    "",
    `${report.published.about}`,
    "",
    ...table(
      ["", "theirs", "of what", "ours", "of what"],
      besidePublished(report).map(({ what, theirs, said, ours, measured }) => [what, theirs, said, ours, measured]),
    ),
    ...latencyPart(report),
    ...threadsPart(report),
    ...hitRatioPart(report),
    ...Object.entries(report.missing ?? {}).map(([name, why]) => `Left out: ${name}: ${why}\n`),
  ].join("\n");
}

function latencyPart({ javascriptLatency, redis }) {
  if (!javascriptLatency) {
    return [];
  }
  // nearcache is in both; the first of them stands beside all the others.
  const latency = { ...redis?.latency, ...javascriptLatency[0].latency };
  const names = Object.keys(PERCENTILES);
  const rows = Object.entries(latency).map(([name, of]) => [name, ...names.map((at) => duration(of[at]))]);
  const shown = ["nearcache", "Redis, loopback"].filter((name) => latency[name] !== undefined);
  const lines = shown.map((name) => names.map((at) => Number(Math.log10(latency[name][at]).toFixed(2))));
  return [
    "### Single reads, timer included, 1,000 entries",
    "",
    ...table(["", "p50", "p95", "p99", "p99.9"], rows),
    ...chart(
      `${shown.join(" (below), ")} (above)`,
      '["p50", "p95", "p99", "p99.9"]',
      '"power of ten of ns" 0 --> 7',
      lines.map((line) => `line ${JSON.stringify(line)}`),
    ),
  ];
}

function threadsPart({ engine }) {
  if (!engine) {
    return [];
  }
  const stores = engine.scaling[0].stores.filter(({ name }) => name !== BARE_LOOP);
  const counts = stores[0].byThreads.map(({ threads }) => threads);
  const own = stores
    .find(({ name }) => name === "nearcache")
    .byThreads.map(({ millionPerSecond }) => millionPerSecond.median);
  return [
    "### Million reads per second by threads, inside the engine",
    "",
    machineLimit(engine),
    "",
    ...table(
      ["", ...counts.map(String)],
      stores.map(({ name, byThreads }) => [
        name,
        ...byThreads.map(({ millionPerSecond }) => millionPerSecond.median.toFixed(1)),
      ]),
    ),
    ...chart(
      "nearcache",
      JSON.stringify(counts.map((count) => `${count}`)),
      `"million reads/s" 0 --> ${Math.ceil(Math.max(...own) * 1.1)}`,
      [`bar ${JSON.stringify(own)}`],
    ),
  ];
}

function hitRatioPart({ hitRatios }) {
  if (!hitRatios) {
    return [];
  }
  const shares = [...new Set(hitRatios.map(({ share }) => share))];
  const percent = (trace, policy) =>
    shares.map((share) => {
      const row = hitRatios.find((one) => one.trace === trace && one.policy === policy && one.share === share);
      return Number((row.hitRatio * 100).toFixed(1));
    });
  const axis = JSON.stringify(shares.map((share) => `${share * 100} %`));
  return [
    "### Hit ratio by size, made-up traces: nearcache is the first line, LRU the second",
    "",
    ...Object.keys(TRACES).flatMap((trace) =>
      chart(
        trace,
        axis,
        '"hit ratio, %" 0 --> 100',
        ["nearcache", "lru"].map((policy) => `line ${JSON.stringify(percent(trace, policy))}`),
      ),
    ),
  ];
}

function chart(title, x, y, series) {
  return [
    "```mermaid",
    "xychart-beta",
    `  title "${title}"`,
    `  x-axis ${x}`,
    `  y-axis ${y}`,
    ...series.map((one) => `  ${one}`),
    "```",
    "",
  ];
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].map((text) => text.replaceAll("<", "&lt;"));
}
