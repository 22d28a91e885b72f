// Measures the candidates of 0008-compression.md. Not part of the build:
//   node docs/decisions/0008-compression.bench.mjs     (zstd needs Node.js 22.15 or newer)
import * as zlib from "node:zlib";

const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
const SIZES = [10, 30, 100, 500];
/** How long each candidate runs at each size, in milliseconds. */
const RUN_MS = 300;
const ROUNDS = 3;

/** The same numbers on every run. */
function* numbers(seed) {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A list of products as an API returns it: names that repeat, identifiers that don't, some text. */
function payload(bytes) {
  const random = numbers(7);
  const next = () => random.next().value;
  const pick = (list) => list[Math.floor(next() * list.length)];
  const words = "light steel blue garden soft wood cotton small large cup table lamp chair green oak wide".split(" ");
  const rows = [];
  for (let length = 0; length < bytes; ) {
    const row = {
      id: Math.floor(next() * 1e9),
      sku: Math.floor(next() * 2 ** 40).toString(36),
      name: Array.from({ length: 4 }, () => pick(words)).join(" "),
      description: Array.from({ length: 20 }, () => pick(words)).join(" "),
      price: Math.round(next() * 1e5) / 100,
      stock: Math.floor(next() * 500),
      isActive: next() > 0.1,
      createdAt: new Date(1.7e12 + next() * 1e11).toISOString(),
      category: { id: Math.floor(next() * 30), name: pick(words) },
      images: [`https://images.example.com/${Math.floor(next() * 1e12).toString(36)}.jpg`],
    };
    rows.push(row);
    length += JSON.stringify(row).length + 1;
  }
  return Buffer.from(JSON.stringify(rows)).subarray(0, bytes);
}

const brotli = (quality) => ({
  name: `brotli ${quality}`,
  pack: (bytes) =>
    zlib.brotliCompressSync(bytes, {
      params: { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  unpack: (bytes) => zlib.brotliDecompressSync(bytes),
});
const gzip = (level) => ({
  name: `gzip ${level}`,
  pack: (bytes) => zlib.gzipSync(bytes, { level }),
  unpack: (bytes) => zlib.gunzipSync(bytes),
});
const zstd = (level) => ({
  name: `zstd ${level}`,
  pack: (bytes) => zlib.zstdCompressSync(bytes, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
  unpack: (bytes) => zlib.zstdDecompressSync(bytes),
});

const candidates = [gzip(1), gzip(6), brotli(0), brotli(1), brotli(4)];
if (zlib.zstdCompressSync) candidates.push(zstd(1), zstd(3));

/** Microseconds per call, the median of the rounds. */
function time(body) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < RUN_MS) {
      body();
      calls++;
    }
    rounds.push(((performance.now() - start) * 1000) / calls);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1];
}

console.log(
  `${process.version}\n| KiB | way | part of the size | compress, µs | decompress, µs |\n| --- | --- | --- | --- | --- |`,
);
for (const size of SIZES) {
  const bytes = payload(size * 1024);
  for (const { name, pack, unpack } of candidates) {
    const packed = pack(bytes);
    const [packs, unpacks] = [time(() => pack(bytes)), time(() => unpack(packed))];
    const part = (packed.length / bytes.length).toFixed(3);
    console.log(`| ${size} | ${name} | ${part} | ${packs.toFixed(0)} | ${unpacks.toFixed(0)} |`);
  }
}
