// What the demo prints: a live view per phase (rewritten in place on a terminal, a plain line per
// report elsewhere), and the table at the end.

const BARS = "▁▂▃▄▅▆▇█";
const HISTORY_LENGTH = 16;
const NAME_WIDTH = "with nearcache".length;

/** The live view of one phase. */
export class LiveView {
  #name;
  #history = [];
  #isTerminal = process.stdout.isTTY === true;
  #linesShown = 0;
  #startedAt = performance.now();

  constructor(name) {
    this.#name = name;
  }

  /** Shows one report. */
  show(report) {
    this.#history = [...this.#history, report.perSecond].slice(-HISTORY_LENGTH);
    const [speed, state] = [this.#speed(report), stateOf(report)];
    if (this.#isTerminal) {
      this.#rewrite([speed, `${" ".repeat(NAME_WIDTH)} ${state}  ${this.#bars()}`]);
    } else {
      console.log(`${speed}  ${state}`);
    }
  }

  /** Goes back to where the last report began and writes over it. */
  #rewrite(lines) {
    const width = (process.stdout.columns ?? 120) - 1;
    const back = this.#linesShown === 0 ? "" : `\x1b[${this.#linesShown}A`;
    process.stdout.write(back + lines.map((line) => `\r\x1b[2K${line.slice(0, width)}\n`).join(""));
    this.#linesShown = lines.length;
  }

  #speed({ perSecond, p50, p99, p999 }) {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const latencies = `p50 ${short(p50)}  p99 ${short(p99)}  p99.9 ${short(p999)} ms`;
    return `${this.#name.padEnd(NAME_WIDTH)} ${seconds.padStart(4)} s ${count(perSecond).padStart(7)} requests/s  ${latencies}`;
  }

  #bars() {
    const most = Math.max(...this.#history, 1);
    return this.#history.map((value) => BARS[Math.round((value / most) * (BARS.length - 1))]).join("");
  }
}

function stateOf({ hitRatio, l0Share, cacheBytes, rssBytes }) {
  const process = `process ${megabytes(rssBytes)}`;
  if (cacheBytes === undefined) {
    return process;
  }
  return `hits ${percent(hitRatio)}  of them L0 ${percent(l0Share)}  cache ${megabytes(cacheBytes)}  ${process}`;
}

/** The table of before and after; rows that have no meaning without a cache show a dash. */
export function comparison(before, after) {
  const rows = [
    ["requests/s", count(before.perSecond), count(after.perSecond), times(after.perSecond, before.perSecond)],
    ["p50", ms(before.p50), ms(after.p50), times(before.p50, after.p50)],
    ["p99", ms(before.p99), ms(after.p99), times(before.p99, after.p99)],
    ["p99.9", ms(before.p999), ms(after.p999), times(before.p999, after.p999)],
    ["requests answered", count(before.requests), count(after.requests), ""],
    ["pages rendered", count(before.pages), count(after.pages), ""],
    ["database queries", count(before.queries), count(after.queries), ""],
    ["hit ratio", "-", percent(after.hitRatio), ""],
    ["hits answered by L0", "-", percent(after.l0Share), ""],
    ["cache memory", "-", `${megabytes(after.cacheBytes)} of ${megabytes(after.cacheMaxBytes)}`, ""],
    ["process memory (RSS)", megabytes(before.rssBytes), megabytes(after.rssBytes), ""],
    ["errors", count(before.errors), count(after.errors), ""],
  ];
  return table(["", "without cache", "with nearcache", "better by"], rows);
}

function table(header, rows) {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column].trim().length)));
  const line = (row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.trim().padStart(widths[column])))
      .join("   ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("   ");
  return [line(header), rule, ...rows.map(line)].join("\n");
}

/** A count with separators. */
export function count(value) {
  return Math.round(value).toLocaleString("en");
}

function ms(value) {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

/** Milliseconds in four characters. */
function short(value) {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0).padStart(4);
}

function percent(share) {
  return `${(share * 100).toFixed(1)} %`.padStart(6);
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`;
}

function times(more, less) {
  return less > 0 ? `${(more / less).toFixed(1)}x` : "";
}
