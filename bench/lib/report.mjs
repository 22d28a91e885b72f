// Results as text. Every case prints one table per scenario: who, quartiles, and nearcache's time as a multiple of
// the rival's, with the target where there is one.

/** The lines of a scenario's result. */
export function tableOf(scenario, result) {
  const rows = result.nsPerOperation
    ? comparison(scenario, result)
    : result.bytesPerEntry
      ? memory(scenario, result)
      : percentiles(result);
  return [`  ${nameOf(scenario)}`, ...align(rows).map((line) => `    ${line}`), ""];
}

/** What a scenario is called within its case. */
export function nameOf({ entries, what }) {
  return [what, `${entries.toLocaleString("en")} entries`].filter(Boolean).join(", ");
}

/** Every target of a scenario as `{ name, target, value, isMet }`. */
export function verdicts(scenario, result) {
  const targets = Object.entries(scenario.targets ?? {});
  return targets.map(([name, target]) => {
    const value = result.ratioTo ? result.ratioTo[name].median : result.bytesPerEntry[name].beyondKeyAndValue;
    return { name, target, value, isMet: value <= target };
  });
}

function comparison(scenario, { nsPerOperation, ratioTo }) {
  const rows = [["", "ns/operation", "(quartiles)", "nearcache / it", "(quartiles)", ""]];
  for (const [name, ns] of Object.entries(nsPerOperation)) {
    const ratio = ratioTo[name];
    rows.push([
      name,
      ns.median.toFixed(1),
      `${ns.q1.toFixed(1)} to ${ns.q3.toFixed(1)}`,
      ratio ? `${ratio.median.toFixed(2)}x` : "",
      ratio ? `${ratio.q1.toFixed(2)} to ${ratio.q3.toFixed(2)}` : "",
      verdict(scenario.targets?.[name], ratio?.median, "x"),
    ]);
  }
  return rows;
}

function memory(scenario, { bytesPerEntry }) {
  const rows = [["", "bytes/entry", "beyond key and value", "its own account", ""]];
  for (const [name, bytes] of Object.entries(bytesPerEntry)) {
    rows.push([
      name,
      bytes.total.toFixed(1),
      bytes.beyondKeyAndValue.toFixed(1),
      bytes.reported === undefined ? "" : bytes.reported.toFixed(1),
      verdict(scenario.targets?.[name], bytes.beyondKeyAndValue, ""),
    ]);
  }
  return rows;
}

function percentiles({ nsPercentiles }) {
  const rows = [["ns, timer included", "p50", "p95", "p99", "p99.9", "max"]];
  for (const [name, ns] of Object.entries(nsPercentiles)) {
    rows.push([name, ...[ns.p50, ns.p95, ns.p99, ns.p999, ns.max].map((value) => value.toFixed(0))]);
  }
  return rows;
}

function verdict(target, value, unit) {
  return target === undefined ? "" : `target ${target}${unit}: ${value <= target ? "met" : "MISSED"}`;
}

/** The first column to the left, the others to the right. */
function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
