// Hit ratios by size as one SVG with a small chart per trace: nearcache, and beside it some of the reference.
const WIDTH = 250;
const HEIGHT = 170;
const COLUMNS = 4;
const MARGIN = { left: 34, right: 12, top: 26, bottom: 24 };

/** The lines of every chart; those of the reference by its names. */
const LINES = [
  { name: "LRU", color: "#b0b0b0" },
  { name: "S3-FIFO", color: "#c25b12" },
  { name: "Caffeine-HEAD", color: "#2a8a4a" },
  { name: "best online", color: "#000000", dash: "3 3" },
  { name: "nearcache", color: "#1b5eb8", isStrong: true },
];

/** `charts`: `{ title, points: [{ x: fraction, y: { [line]: percent } }] }`. */
export function svgOf(charts) {
  const rows = Math.ceil(charts.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT + 30];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...legend(),
    ...charts.map((chart, at) => chartOf(chart, (at % COLUMNS) * WIDTH, Math.floor(at / COLUMNS) * HEIGHT + 30)),
    "</svg>\n",
  ].join("\n");
}

function legend() {
  return LINES.map(({ name, color, dash }, at) => {
    const x = 20 + at * 140;
    return `<path d="M${x} 16h24" stroke="${color}" stroke-width="2"${dashed(dash)}/><text x="${x + 30}" y="19">${name}</text>`;
  });
}

function chartOf({ title, points }, left, top) {
  const sizes = points.map(({ x }) => Math.log10(x));
  const [first, last] = [Math.min(...sizes), Math.max(...sizes)];
  const all = points.flatMap(({ y }) => Object.values(y));
  const [low, high] = [Math.floor(Math.min(...all)), Math.ceil(Math.max(...all))];
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (size) => left + MARGIN.left + (inner.width * (Math.log10(size) - first)) / (last - first || 1);
  const y = (percent) => top + MARGIN.top + inner.height * (1 - (percent - low) / (high - low || 1));
  const text = (at, down, what, anchor) => `<text x="${at}" y="${down}" text-anchor="${anchor}">${what}</text>`;
  return [
    `<rect x="${left + MARGIN.left}" y="${top + MARGIN.top}" width="${inner.width}" height="${inner.height}" fill="none" stroke="#ccc"/>`,
    text(left + MARGIN.left, top + MARGIN.top - 6, title, "start"),
    text(left + MARGIN.left - 4, y(low) + 3, low, "end"),
    text(left + MARGIN.left - 4, y(high) + 3, high, "end"),
    ...points.map((point) => text(x(point.x), top + HEIGHT - 10, `${point.x * 100} %`, "middle")),
    ...LINES.map((line) => lineOf(line, points, x, y)),
  ].join("\n");
}

function lineOf({ name, color, dash, isStrong }, points, x, y) {
  const known = points.filter((point) => point.y[name] !== undefined);
  const path = known.map(
    (point, at) => `${at === 0 ? "M" : "L"}${x(point.x).toFixed(1)} ${y(point.y[name]).toFixed(1)}`,
  );
  return `<path d="${path.join("")}" fill="none" stroke="${color}" stroke-width="${isStrong ? 2 : 1.2}"${dashed(dash)}/>`;
}

function dashed(dash) {
  return dash ? ` stroke-dasharray="${dash}"` : "";
}
