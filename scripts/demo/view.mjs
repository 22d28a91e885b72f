// What the demo prints: one live line per phase (rewritten in place on a terminal, a plain line per
// report elsewhere), and the table at the end.

const BARS = "▁▂▃▄▅▆▇█";
const HISTORY_LENGTH = 16;

/** The live view of one phase. */
export class LiveView {
  #name;
  #history = [];
  #isTerminal = process.stdout.isTTY === true;
  #startedAt = performance.now();

  constructor(name) {
    this.#name = name;
  }

  /** Shows one report. */
  show(report) {
    this.#history = [...this.#history, report.perSecond].slice(-HISTORY_LENGTH);
    const line = this.#line(report);
    if (this.#isTerminal) {
      const width = process.stdout.columns ?? 120;
      process.stdout.write(`\r\x1b[2K${line.slice(0, width - 1)}`);
    } else {
      console.log(line);
    }
  }

  /** Leaves the last line where it is. */
  end() {
    if (this.#isTerminal) {
      process.stdout.write("\n");
    }
  }

  #line({ perSecond, p50, p99, p999, hitRatio, l0Share, cacheBytes, rssBytes }) {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const speed = `${count(perSecond).padStart(7)} requests/s  p50 ${ms(p50)}  p99 ${ms(p99)}  p99.9 ${ms(p999)}`;
    const cache =
      cacheBytes === undefined
        ? ""
        : `  hits ${percent(hitRatio)}  of them L0 ${percent(l0Share)}  cache ${megabytes(cacheBytes)}`;
    const bars = this.#isTerminal ? `  ${this.#bars()}` : "";
    return `${this.#name.padEnd(13)} ${seconds.padStart(4)} s ${speed}${cache}  process ${megabytes(rssBytes)}${bars}`;
  }

  #bars() {
    const most = Math.max(...this.#history, 1);
    return this.#history.map((value) => BARS[Math.round((value / most) * (BARS.length - 1))]).join("");
  }
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
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`.padStart(8);
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
