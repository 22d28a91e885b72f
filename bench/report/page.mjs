// The report as one HTML file that needs nothing else: tables, plots as SVG within the text, no script.
import { TIMER } from "../lib/latency.mjs";
import { TRACES } from "../lib/traces.mjs";
import {
  BARE_LOOP,
  besidePublished,
  duration,
  headline,
  machineLimit,
  machineOf,
  PERCENTILES,
  ratioText,
  threeDigits,
  titleOf,
} from "./figures.mjs";
import { hitRatioPlot, latencyPlot, memoryPlot, throughputPlot, timesPlot } from "./plots.mjs";

const STYLE = `
  :root { color-scheme: light; }
  body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 920px; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin-bottom: 0.2rem; } h2 { margin-top: 2.6rem; border-bottom: 1px solid #ddd; } h3 { margin-top: 1.8rem; }
  table { border-collapse: collapse; margin: 0.8rem 0; font-size: 13.5px; font-variant-numeric: tabular-nums; }
  th, td { padding: 3px 7px; border-bottom: 1px solid #e6e6e6; text-align: right; vertical-align: top; }
  th:first-child, td:first-child, td.text, th.text { text-align: left; }
  tr.own td { background: #eef4fc; font-weight: 600; }
  .note { color: #555; font-size: 14px; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
  .ratio { color: #555; font-size: 11.5px; font-weight: 400; white-space: nowrap; }
`;

/** The page of a report. */
export async function pageOf(report) {
  const parts = [
    head(report),
    publishedPart(report),
    javascriptPart(report),
    enginePart(report),
    redisPart(report),
    hitRatioPart(report),
    countsPart(report),
    missingPart(report),
  ];
  const title = `nearcache, benchmarks of ${report.date.slice(0, 10)}`;
  const start = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>`;
  return `${start}<body>${parts.filter(Boolean).join("\n")}</body></html>\n`;
}

function head(report) {
  const { date, commit, isModified, isQuick, seconds, loadAverage, versions } = report;
  const rivals = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    "<h1>nearcache, measured beside others</h1>",
    `<p><b>${html(machineOf(report))}</b><br>${date.slice(0, 10)}, commit ${commit}${isModified ? ", modified" : ""}, load ${loadAverage} at the start, ${seconds} s${isQuick ? ". <b>A quick run: rough figures</b>" : ""}.</p>`,
    `<p class="note">Nanoseconds are of this machine on this day. What counts are ratios: contestants take turns in one process, or in processes that alternate, so that what slows the machine slows all of them. A ratio is nearcache's time divided by the other's; below 1, nearcache is faster. In brackets: the interval that holds the median in 95 of 100 cases, by a seeded bootstrap over the rounds.</p>`,
    table(
      ["nearcache", "ns per operation", ["text", "where"]],
      headline(report).map(([what, ns, how]) => [what, threeDigits(ns), text(how)]),
    ),
    `<p class="note">Beside it: ${html(rivals.join(", "))}.</p>`,
  ].join("\n");
}

function publishedPart(report) {
  const { name, about } = report.published;
  return [
    `<h2>Beside the figures that ${name} publishes</h2>`,
    `<p><b>The left column is theirs, not measured by us.</b> ${html(about)} Ours are from this run on this machine; the last column says what was timed. Only what is timed alike can be compared.</p>`,
    table(
      ["", `${name} says`, ["text", "of what"], "ours", ["text", "of what"]],
      besidePublished(report).map(({ what, theirs, said, ours, measured }) => [
        what,
        theirs,
        text(said),
        ours,
        text(measured),
      ]),
    ),
  ].join("\n");
}

function javascriptPart({ javascriptFew, javascriptTimes, javascriptLatency, javascriptThreads, javascriptMemory }) {
  const parts = ["<h2>JavaScript</h2>"];
  if (javascriptFew) {
    parts.push(
      "<h3>Beside Map and lru-cache</h3>",
      `<p class="note">Means over batches, three or four contestants in a process. Map has neither limit nor expiry. Below each time: nearcache's time divided by it.</p>`,
      fewTable(javascriptFew),
    );
  }
  if (javascriptTimes) {
    const rows = javascriptTimes.flatMap((one) =>
      Object.entries(one.nsPerOperation).map(([name, { median }]) => ({ name, group: titleOf(one), ns: median })),
    );
    parts.push(
      "<h3>Beside all the others</h3>",
      `<p class="note">Means over batches; all are in one process, where they push each other out of the processor's caches and make the collector work, so that the fastest take longer than above. Values are strings of 100 bytes unless it says records. Every promise is awaited before the next call. Map and lru-cache hand out the stored reference. "Same keys" are the very string objects that were stored, "fresh keys" are built in the loop, as a request brings them. In the table, below each time: nearcache's time divided by it.</p>`,
      figure(timesPlot(rows)),
      timesTable(javascriptTimes),
    );
  }
  for (const { entries, latency } of javascriptLatency ?? []) {
    const names = Object.keys(latency);
    parts.push(
      `<h3>Single reads, ${entries.toLocaleString("en")} entries, same key objects</h3>`,
      timerNote(latency[TIMER]),
    );
    parts.push(figure(latencyPlot(latency, names)), latencyTable(latency));
  }
  if (javascriptThreads) {
    parts.push(
      "<h3>Reads by worker threads</h3>",
      `<p class="note">1,000 strings, keys built anew. All workers share one nearcache or lmdb; of Map and lru-cache each worker has a copy of its own.</p>`,
      figure(throughputPlot(threadRows(javascriptThreads))),
    );
  }
  if (javascriptMemory) {
    parts.push(
      "<h3>Memory</h3>",
      `<p class="note">Growth of the process's resident memory with ${javascriptMemory.entries.toLocaleString("en")} entries, without the 121 bytes of key and value; a process for each.</p>`,
      figure(
        memoryPlot(
          Object.entries(javascriptMemory.bytesPerEntry).map(([name, of]) => ({ name, bytes: of.beyondKeyAndValue })),
        ),
      ),
    );
  }
  return parts.join("\n");
}

function timerNote(timer) {
  return `<p class="note">Each read is timed by itself. The timer alone takes ${duration(timer.p50)} at the median and ${duration(timer.p999)} at 99.9 %; that is within all other figures and is not taken off. Where a read is shorter than the timer, its distribution is mostly the timer's: the table above has its cost.</p>`;
}

function fewTable(scenarios) {
  const names = ["nearcache", "Map", "lru-cache"];
  return table(
    [["text", "strings of 100 bytes unless it says records"], ...names],
    scenarios.map(({ title, what, entries, nsPerOperation, ratioTo }) => [
      text(fewTitle(title, what, entries)),
      ...names.map((name) =>
        nsPerOperation[name] === undefined ? "-" : timeCell(nsPerOperation[name], ratioTo[name]),
      ),
    ]),
  );
}

/** What the parts of the case `writes` do. */
const WRITES = {
  overwrite: "set of an existing key",
  "insert and evict": "set of a new key when full",
  miss: "get of a missing key",
};

/** The title of a case as it begins; of a case with several parts, the part alone. */
function fewTitle(title, what, entries) {
  const isOne = what === undefined || title.startsWith("get");
  const named = isOne
    ? [title.replace(/, (1,000 hot|1,000|strings|same).*/, ""), what]
    : [`${WRITES[what]} (l0: false)`];
  const records = title.includes("records") ? ["records of 15 fields"] : [];
  return [...named, ...records, `${entries.toLocaleString("en")} entries`].filter(Boolean).join(", ");
}

function timesTable(scenarios) {
  const names = Object.keys(scenarios[0].nsPerOperation);
  return table(
    ["", ...scenarios.map(titleOf)],
    names.map((name) => [
      name,
      ...scenarios.map(({ nsPerOperation, ratioTo }) => timeCell(nsPerOperation[name], ratioTo[name])),
    ]),
  );
}

/** A time, and below it nearcache's as a part of it. */
function timeCell(nsPerOperation, ratio) {
  return { time: duration(nsPerOperation.median), ratio: ratioText(ratio) };
}

function latencyTable(latency) {
  const names = Object.keys(PERCENTILES);
  return table(
    ["", "p50", "p95", "p99", "p99.9", "reads"],
    Object.entries(latency).map(([name, of]) => [
      name,
      ...names.map((at) => duration(of[at])),
      of.operations.toLocaleString("en"),
    ]),
  );
}

function threadRows({ byThreads }) {
  return Object.entries(byThreads).flatMap(([name, counts]) =>
    Object.entries(counts).map(([threads, { median }]) => ({
      name,
      threads: Number(threads),
      perSecond: 1e3 / median,
    })),
  );
}

function enginePart({ engine }) {
  if (!engine) {
    return "";
  }
  const latencies = engine.latency.map(({ what, entries, stores }) => {
    const latency = Object.fromEntries(stores.map(({ name, ...of }) => [name, of]));
    return [
      `<h3>Single operations: ${what === "set" ? "set of an existing key" : `get, a ${what}`}, ${entries.toLocaleString("en")} entries</h3>`,
      what === "hit" ? timerNote(latency[TIMER]) + figure(latencyPlot(latency, Object.keys(latency))) : "",
      latencyTable(latency),
    ].join("\n");
  });
  const [{ stores: rows, entries }] = engine.scaling;
  const scaling = rows
    .filter(({ name }) => name !== BARE_LOOP)
    .flatMap(({ name, byThreads }) =>
      byThreads.map(({ threads, millionPerSecond }) => ({ name, threads, perSecond: millionPerSecond.median })),
    );
  return [
    "<h2>The engine beside other crates</h2>",
    `<p class="note">Rust alone: ${engine.keyBytes}-byte keys, ${engine.valueBytes}-byte values that are copied out, popularity by Zipf's law. nearcache keeps a time to live per entry, the others none; papaya, dashmap and the locked hashbrown are maps that never evict. Below each time: nearcache's time divided by it.</p>`,
    engineTable(engine),
    ...latencies,
    `<h3>Reads of the same popular keys by threads, ${entries.toLocaleString("en")} entries</h3>`,
    `<p class="note">${html(machineLimit(engine))}</p>`,
    figure(throughputPlot(scaling)),
    // Only Linux says how much of a process is resident.
    ...engine.memory
      .filter(({ stores }) => stores.length > 0)
      .map(
        ({ entries, stores }) =>
          `<h3>Memory, ${entries.toLocaleString("en")} entries</h3>${figure(memoryPlot(stores.map(({ name, beyondKeyAndValue }) => ({ name, bytes: beyondKeyAndValue }))))}`,
      ),
  ].join("\n");
}

function engineTable({ results }) {
  const shown = results.filter(({ case: name }) => !name.includes("threads"));
  const names = shown[0].stores.map(({ name }) => name);
  return table(
    ["", ...shown.map((one) => `${one.case}, ${one.entries.toLocaleString("en")}`)],
    names.map((name) => [
      name,
      ...shown.map(({ stores }) => {
        const row = stores.find((store) => store.name === name);
        return row === undefined ? "-" : timeCell(row.nsPerOperation, name === "nearcache" ? undefined : row.ratio);
      }),
    ]),
  );
}

function redisPart({ redis }) {
  if (!redis) {
    return "";
  }
  const { nsPerOperation, ratioTo, ratiosOf } = redis.times;
  const second = Object.values(ratiosOf ?? {})[0] ?? {};
  return [
    "<h2>Beside Redis on the same machine</h2>",
    `<p class="note">redis-server ${redis.version} and this process share the processors; ioredis, 1,000 strings of 100 bytes. There is no network between them: a Redis elsewhere in the same zone takes longer.</p>`,
    table(
      ["", "per read", "nearcache / it", "nearcache l0: false / it"],
      Object.entries(nsPerOperation).map(([name, { median }]) => [
        name,
        duration(median),
        ratioText(ratioTo[name]),
        ratioText(second[name]),
      ]),
    ),
    "<h3>Single reads</h3>",
    figure(latencyPlot(redis.latency, Object.keys(redis.latency))),
    latencyTable(redis.latency),
  ].join("\n");
}

function hitRatioPart({ hitRatios }) {
  if (!hitRatios) {
    return "";
  }
  const about = Object.entries(TRACES).map(([name, trace]) => `<b>${name}</b>: ${trace.about}`);
  return [
    "<h2>Hit ratio by size</h2>",
    `<p class="note">Made-up traces of 300,000 requests, the same in every run. ${about.join("; ")}. Real traces are in docs/hit-ratio.md.</p>`,
    figure(hitRatioPlot(hitRatios)),
  ].join("\n");
}

function countsPart({ counts }) {
  if (!counts) {
    return "";
  }
  const rows = Object.entries({ ...counts.portable, ...counts.local }).filter(
    ([name]) => !name.startsWith("hit ratio"),
  );
  return [
    "<h2>Counted, not timed</h2>",
    `<p class="note">The same on a busy machine; <code>npm run bench:gate</code> holds them against a baseline.</p>`,
    table(
      ["", "now"],
      rows.map(([name, { value }]) => [name, String(value)]),
    ),
    ...Object.values(counts.skipped).map((reason) => `<p class="note">Not counted: ${html(reason)}</p>`),
  ].join("\n");
}

function missingPart({ missing }) {
  const rows = Object.entries(missing ?? {});
  return rows.length === 0
    ? ""
    : `<h2>Left out</h2>${table(
        ["", ["text", "why"]],
        rows.map(([name, why]) => [name, text(why)]),
      )}`;
}

const text = (value) => ({ text: value });

function table(head, rows) {
  const heads = head.map((cell) =>
    Array.isArray(cell) ? `<th class="text">${html(cell[1])}</th>` : `<th>${html(cell)}</th>`,
  );
  const body = rows.map((row) => {
    const own = String(row[0]).startsWith("nearcache") ? ' class="own"' : "";
    const cells = row.map(cellOf);
    return `<tr${own}>${cells.join("")}</tr>`;
  });
  return `<table><thead><tr>${heads.join("")}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

function cellOf(cell) {
  if (cell?.text !== undefined) {
    return `<td class="text">${html(cell.text)}</td>`;
  }
  return cell?.time === undefined
    ? `<td>${html(cell)}</td>`
    : `<td>${html(cell.time)}<br><span class="ratio">${html(cell.ratio)}</span></td>`;
}

function figure(svg) {
  return `<figure>${svg}</figure>`;
}

function html(value) {
  return String(value)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
