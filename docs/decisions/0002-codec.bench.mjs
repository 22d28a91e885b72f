// Measures the candidates of 0002-codec.md. Not part of the build. Needs the compiled codec and the candidates:
//   npx tsc -p . --noEmit false --outDir /tmp/codec/out --rootDir .   (and "type": "module" in /tmp/codec/package.json)
//   cd /tmp/codec && npm install msgpackr@2.1.3 cbor-x@1.6.9
//   cp docs/decisions/0002-codec.bench.mjs /tmp/codec && node /tmp/codec/0002-codec.bench.mjs
import v8 from "node:v8";
import * as cborx from "cbor-x";
import * as msgpackr from "msgpackr";
import { Decoder } from "./out/ts/codec/decode.js";
import { Encoder } from "./out/ts/codec/encode.js";
import { Shapes } from "./out/ts/codec/shapes.js";

/** A 15-field user with text, numbers, a date in text and a small list. */
const fifteen = (i) => ({
  id: 1000 + i,
  name: `Alice Example ${i}`,
  email: `alice.${i}@example.com`,
  age: 20 + (i % 60),
  active: i % 2 === 0,
  score: i * 1.25,
  country: "DE",
  city: "Hamburg",
  street: `Lange Reihe ${i}`,
  zip: "20099",
  createdAt: "2026-01-01T12:00:00.000Z",
  lastLogin: 1767225600000 + i,
  role: "customer",
  tags: ["a", "b"],
  notes: null,
});
/** About 150 bytes of JSON. */
const small = (i) => ({
  id: i,
  title: `Product number ${i}`,
  price: 19.99,
  stock: i % 100,
  sku: `SKU-${100000 + i}`,
  category: "household",
  visible: true,
  rating: 4.5,
});

function sharedStructures() {
  let saved = [];
  return {
    getStructures: () => saved,
    saveStructures(structures) {
      saved = structures;
      return true;
    },
  };
}

function blob() {
  let bytes;
  let version = 0;
  return {
    sharedBlobGet: () => bytes,
    sharedBlobVersion: () => version,
    sharedBlobSet(next, expected) {
      if (expected !== version) return false;
      bytes = next;
      version += 1;
      return true;
    },
  };
}

function ours(isFrozen) {
  const shapes = new Shapes(blob());
  const encoder = new Encoder(shapes, 1 << 24);
  const decoder = new Decoder(shapes);
  // As in the cache: written to one buffer, read from another that stays the same.
  const scratch = Buffer.allocUnsafeSlow(1 << 16);
  decoder.use(scratch.buffer);
  return {
    encode(value) {
      const length = encoder.encode(value);
      return encoder.buffer.subarray(0, length);
    },
    decode(bytes) {
      bytes.copy(scratch, 32);
      return decoder.decode(32, bytes.length, isFrozen);
    },
  };
}

/** The checks without which msgpackr would change values silently, and the freezing that readers need. */
function validate(value) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return !Object.is(value, -0) && typeof value !== "function";
  const keys = Object.keys(value);
  if (Object.getOwnPropertySymbols(value).length > 0) return false;
  if (Array.isArray(value)) return keys.length === value.length && value.every(validate);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  if (Object.getOwnPropertyNames(value).length !== keys.length) return false;
  for (const key of keys) if (key === "__proto__" || !validate(value[key])) return false;
  return true;
}

function freeze(value) {
  if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value)) freeze(value[key]);
    Object.freeze(value);
  }
  return value;
}

function safe(codec) {
  return {
    encode(value) {
      if (!validate(value)) throw new Error("not cacheable");
      return codec.encode(value);
    },
    decode: (bytes) => freeze(codec.decode(bytes)),
  };
}

const packr = (options) => new msgpackr.Packr(options);
const candidates = {
  "ours, frozen": ours(true),
  "ours, not frozen": ours(false),
  "msgpackr, shared structures": packr({ ...sharedStructures() }),
  "msgpackr, shared, structuredClone": packr({ ...sharedStructures(), structuredClone: true }),
  "the same, validated and frozen": safe(packr({ ...sharedStructures(), structuredClone: true })),
  "msgpackr, self-contained, structuredClone": packr({ structuredClone: true }),
  "msgpackr, no records": packr({ useRecords: false, structuredClone: true }),
  "cbor-x, shared structures": new cborx.Encoder({ ...sharedStructures(), structuredClone: true }),
  "v8.serialize": { encode: v8.serialize, decode: v8.deserialize },
  JSON: { encode: (value) => Buffer.from(JSON.stringify(value)), decode: (bytes) => JSON.parse(bytes.toString()) },
};

function median(times) {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

const COUNT = 256;
const ROUNDS = 15;
const REPEATS = 100;
for (const [name, make] of [
  ["15 fields", fifteen],
  ["150 bytes", small],
]) {
  const values = Array.from({ length: COUNT }, (_, i) => make(i));
  const rows = Object.entries(candidates).map(([candidate, codec]) => ({ candidate, codec, encode: [], decode: [] }));
  for (const row of rows) {
    row.bytes = values.map((value) => Buffer.from(row.codec.encode(value)));
    row.bytes = values.map((value) => Buffer.from(row.codec.encode(value)));
  }
  let sink = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const row of rows) {
      let start = process.hrtime.bigint();
      for (let r = 0; r < REPEATS; r++) for (const value of values) sink += row.codec.encode(value).length;
      row.encode.push(Number(process.hrtime.bigint() - start) / COUNT / REPEATS);
      start = process.hrtime.bigint();
      for (let r = 0; r < REPEATS; r++) for (const bytes of row.bytes) sink += row.codec.decode(bytes).id;
      row.decode.push(Number(process.hrtime.bigint() - start) / COUNT / REPEATS);
    }
  }
  console.log(`| ${name} | encode ns | decode ns | bytes |\n|---|---|---|---|`);
  for (const row of rows) {
    const bytes = Math.round(row.bytes.reduce((sum, b) => sum + b.length, 0) / COUNT);
    console.log(
      `| ${row.candidate} | ${median(row.encode).toFixed(0)} | ${median(row.decode).toFixed(0)} | ${bytes} |`,
    );
  }
  if (sink === 0) console.log(sink);
}
