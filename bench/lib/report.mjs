// Results as text. Every scenario prints one table, of the kind that its result is; targets stand in the last column.

/** Per kind of result: the rows of its table, and the figure that a target named `name` is held against. */
const KINDS = {
  scaling: { rows: threads, figure: ({ ratioTo }, name) => ratioTo[name].median },
  nsPerOperation: { rows: comparison, figure: ({ ratioTo }, name) => ratioTo[name].median },
  bytesPerEntry: { rows: memory, figure: ({ bytesPerEntry }, name) => bytesPerEntry[name].total },
  nsPercentiles: { rows: percentiles, figure: () => undefined },
  perGet: { rows: counts, figure: ({ perGet }, name) => perGet[name] },
  pauses: {
    rows: collections,
    figure: ({ pauses }, name) => pauses.nearcache.longestMs / pauses[name].longestMs,
  },
};

/** The lines of a scenario's result. */
export function tableOf(scenario, result) {
  const rows = kindOf(result).rows(result, targetColumn(scenario, result));
  return [`  ${nameOf(scenario)}`, ...align(rows).map((line) => `    ${line}`), ""];
}

/** What a scenario is called within its case. */
export function nameOf({ entries, what }) {
  return [what, `${entries.toLocaleString("en")} entries`].filter(Boolean).join(", ");
}

/** Every target of a scenario as `{ name, target, value, isMet, isExact }`; an exact one is not "at most" but "is". */
export function verdicts(scenario, result) {
  const isExact = scenario.isExact ?? false;
  return Object.entries(scenario.targets ?? {}).map(([name, target]) => {
    const value = kindOf(result).figure(result, name);
    return { name, target, value, isMet: isExact ? value === target : value <= target, isExact };
  });
}

function kindOf(result) {
  return Object.entries(KINDS).find(([property]) => result[property] !== undefined)[1];
}

/** A function that says for each contestant what to write into the last column. */
function targetColumn(scenario, result) {
  const all = verdicts(scenario, result);
  return (name) => {
    const one = all.find((verdict) => verdict.name === name);
    return one === undefined ? "" : `target ${one.target}: ${one.isMet ? "met" : "MISSED"}`;
  };
}

function comparison({ nsPerOperation, ratioTo }, targetOf) {
  const rows = [["", "ns/operation", "(quartiles)", "nearcache / it", "(quartiles)", ""]];
  for (const [name, ns] of Object.entries(nsPerOperation)) {
    const ratio = ratioTo[name];
    rows.push([
      name,
      ns.median.toFixed(1),
      `${ns.q1.toFixed(1)} to ${ns.q3.toFixed(1)}`,
      ratio ? `${ratio.median.toFixed(2)}x` : "",
      ratio ? `${ratio.q1.toFixed(2)} to ${ratio.q3.toFixed(2)}` : "",
      targetOf(name),
    ]);
  }
  return rows;
}

function threads({ nsPerOperation, ratioTo, oneThread, scaling, megabytes }) {
  const rows = [["", "ns/operation, 2 threads", "nearcache / it", "1 thread", "2 against 1", "MB"]];
  for (const [name, ns] of Object.entries(nsPerOperation)) {
    rows.push([
      name,
      ns.median.toFixed(1),
      ratioTo[name] ? `${ratioTo[name].median.toFixed(2)}x` : "",
      oneThread[name].median.toFixed(1),
      `${scaling[name].median.toFixed(2)}x`,
      megabytes[name].toFixed(1),
    ]);
  }
  return rows;
}

function memory({ bytesPerEntry }, targetOf) {
  const rows = [["", "bytes/entry", "beyond key and value", "its own account", ""]];
  for (const [name, bytes] of Object.entries(bytesPerEntry)) {
    rows.push([
      name,
      bytes.total.toFixed(1),
      bytes.beyondKeyAndValue.toFixed(1),
      bytes.reported === undefined ? "" : bytes.reported.toFixed(1),
      targetOf(name),
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

function counts({ perGet }, targetOf) {
  return Object.entries(perGet).map(([name, count]) => [name, String(count), targetOf(name)]);
}

function collections({ pauses }, targetOf) {
  const rows = [["", "longest, ms", "p99.9", "all", "its kind", "scavenges", "full", "loop's delay, max", "p99.9", ""]];
  for (const [name, of] of Object.entries(pauses)) {
    rows.push([
      name,
      of.longestMs.toFixed(1),
      of.p999Ms.toFixed(1),
      of.totalMs.toFixed(0),
      of.longestKind,
      String(of.byKind.scavenge?.count ?? 0),
      String(of.byKind["mark-compact"]?.count ?? 0),
      of.loopDelayMaxMs.toFixed(1),
      of.loopDelayP999Ms.toFixed(1),
      targetOf(name),
    ]);
  }
  return rows;
}

/** The first column to the left, the others to the right. */
export function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
