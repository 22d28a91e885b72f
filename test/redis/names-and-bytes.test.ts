// What the tier writes to Redis, without Redis: names, slots, the bytes of an entry, compression, and what it hands out.
import { describe, expect, test } from "vitest";
import { type CompressionChoice, compress, decompress, isSupported } from "../../ts/redis/compression.js";
import { decode, encode, HEAD_BYTES, HEADER_BYTES, UndecodableError } from "../../ts/redis/format.js";
import { globOf, KeyNames } from "../../ts/redis/keys.js";
import type { Dependency } from "../../ts/redis/revisions.js";
import { slotOf } from "../../ts/redis/slots.js";
import { moment, parseLease, parseMoment, showLease } from "../../ts/redis/tokens.js";
import type { TierEntry } from "../../ts/tier.js";
import { Random } from "../support/random.js";
import { entryOf } from "../support/tiers.js";

const FOREVER = Number.POSITIVE_INFINITY;

/** The bytes as Redis has them after the script has put the revision in. */
function storedBytes(
  entry: TierEntry,
  revision = 7,
  dependencies: readonly Dependency[] = [],
): { bytes: Buffer; pxMs: number } {
  const { head, tail, pxMs } = encode(entry, { compression: 0, bytes: entry.bytes }, 42, dependencies);
  const middle = Buffer.alloc(8);
  middle.writeDoubleBE(revision);
  return { bytes: Buffer.concat([head, middle, tail]), pxMs };
}

describe("names", () => {
  const names = new KeyNames("shop:");

  test("are told apart again", () => {
    expect(names.parse(names.entry(1_795_650_739_214_000, "user:42"))).toEqual({
      type: "entry",
      key: "user:42",
      version: 1_795_650_739_214_000,
    });
    expect(names.parse(names.entry(0, ""))).toEqual({ type: "entry", key: "", version: 0 });
    expect(names.parse(names.tag("a:b"))).toEqual({ type: "tag", tag: "a:b" });
    expect(names.parse(names.version)).toEqual({ type: "version" });
    expect(names.parse(names.clock)).toEqual({ type: "clock" });
  });

  test.each([
    "",
    "shop:",
    "shop:v",
    "shop:v12",
    "shop:v:a",
    "shop:vA:a",
    "shop:v01:a",
    "shop:v-1:a",
    "shop:x",
    "other:v1:a",
  ])("%j is none of ours", (name) => {
    expect(names.parse(name)).toBeUndefined();
  });

  test("of the version and the clock lie in one slot, whatever the prefix", () => {
    for (const prefix of ["shop:", "{shop}:", "a{b", "a{", "a}b{c}"]) {
      const { version, clock } = new KeyNames(prefix);
      expect(slotOf(version)).toBe(slotOf(clock));
    }
  });

  test("in patterns mean themselves but for the star", () => {
    expect(globOf("a*b?[c]^\\d**")).toBe("a*b\\?\\[c\\]\\^\\\\d**");
  });
});

test("slots are those of the specification", () => {
  expect(slotOf("123456789")).toBe(0x31c3);
  expect(slotOf("")).toBe(0);
  expect(slotOf("{user1000}.following")).toBe(slotOf("user1000"));
  expect(slotOf("foo{}{bar}")).not.toBe(slotOf("bar"));
  expect(slotOf("foo{{bar}}zap")).toBe(slotOf("{bar"));
  expect(slotOf("foo{bar}{zap}")).toBe(slotOf("bar"));
});

describe("the bytes of an entry", () => {
  test.each([
    [{}, 120_000, { freshMs: 60_000, liveMs: 120_000 }],
    [{ freshMs: 0.2, liveMs: 0.5 }, 1, { freshMs: 1, liveMs: 1 }],
    [{ freshMs: FOREVER, liveMs: FOREVER }, -1, { freshMs: FOREVER, liveMs: FOREVER }],
    [{ freshMs: 5, liveMs: FOREVER }, 1e14 + 5, { freshMs: 5, liveMs: FOREVER }],
    [{ freshMs: 5, liveMs: 3 }, 5, { freshMs: 5, liveMs: 5 }],
  ])("with %j come back as they were", (details, pttl, lives) => {
    const entry = entryOf("value", { kind: 11, loadMs: 1.25, tags: ["", "a", "ü"], etag: "", ...details });
    const { bytes, pxMs } = storedBytes(entry);
    expect(pxMs).toBe(Math.max(0, pttl));
    const decoded = decode(bytes, pttl);
    expect(decoded).toMatchObject({ compression: 0, clock: 42, isPlaceholder: false });
    const { bytes: value, ...rest } = decoded.entry;
    expect(Buffer.from(value).toString()).toBe("value");
    const { bytes: _, ...expected } = { ...entry, ...lives, lastModified: undefined };
    expect(rest).toEqual(expected);
  });

  test("have the header that the ruler shows", () => {
    const { bytes } = storedBytes(entryOf("value"));
    expect(bytes.byteLength).toBe(HEADER_BYTES + 5);
    expect(bytes.subarray(0, HEAD_BYTES).toString("hex")).toBe("6e63010001000000");
    expect(bytes.readDoubleBE(8)).toBe(7);
    expect(bytes.readDoubleBE(32)).toBe(60_000);
    expect(bytes.readUInt32BE(60)).toBe(5);
  });

  test("that are damaged anywhere are refused or say something else, and never throw anything but that", () => {
    const random = new Random(5);
    const { bytes } = storedBytes(entryOf("value", { tags: ["a", "b"], etag: "x" }));
    for (let i = 0; i < 5_000; i++) {
      const damaged = Buffer.from(bytes);
      for (let j = 0; j <= i % 3; j++)
        damaged[Math.floor(random.next() * damaged.length)] = Math.floor(random.next() * 256);
      const cut = i % 2 === 0 ? damaged : damaged.subarray(0, Math.floor(random.next() * damaged.length));
      try {
        decode(cut, 1_000);
      } catch (error) {
        expect(error).toBeInstanceOf(UndecodableError);
      }
    }
  });
});

describe("compression", () => {
  const text = Buffer.from("all work and no play ".repeat(2_000));
  const ways = (["zstd", "brotli", "gzip"] as const).filter(isSupported);

  test.each(ways)("by %s makes values smaller, and gives them back", async (way: CompressionChoice) => {
    const stored = await compress(text, way);
    expect(stored.bytes.byteLength).toBeLessThan(text.byteLength / 10);
    expect(Buffer.from(await decompress(stored, text.byteLength)).equals(text)).toBe(true);
    await expect(decompress(stored, text.byteLength - 1)).rejects.toBeInstanceOf(UndecodableError);
    const cut = { ...stored, bytes: stored.bytes.subarray(0, 10) };
    await expect(decompress(cut, text.byteLength)).rejects.toBeInstanceOf(UndecodableError);
  });

  test("leaves alone what does not become smaller", async () => {
    const noise = Buffer.from(Array.from({ length: 1_000 }, (_, i) => (i * 7919) % 251));
    const stored = await compress(noise.subarray(0, 12), "gzip");
    expect(stored).toEqual({ compression: 0, bytes: noise.subarray(0, 12) });
    expect(await decompress(stored, 1)).toBe(stored.bytes);
  });
});

test("leases and moments are read back, and nothing else is taken for one", () => {
  const revision = "00000000000000ff";
  const of = moment({ version: 12, clock: 34 }, revision, []);
  const lease = showLease(Buffer.from("0123456789abcdef", "hex"), of);
  expect(parseMoment(of)).toEqual({ version: 12, clock: 34, revision, dependencies: [] });
  expect(parseLease(lease)?.token.toString("hex")).toBe("0123456789abcdef");
  const dependencies = [{ key: 'a "key"].\n日本', revision }];
  const depending = moment({ version: 12, clock: 34 }, revision, dependencies);
  expect(parseMoment(depending)).toEqual({ version: 12, clock: 34, revision, dependencies });
  expect(parseLease(showLease(Buffer.alloc(8), depending))?.moment.dependencies).toEqual(dependencies);
  for (const text of ["", "1.2", `${of}0`, `x${of}`, lease, "1.2.zz00000000000000", `${of}.[x]`, `${of}.`]) {
    expect(parseMoment(text)).toBeUndefined();
  }
  for (const text of ["", of, `${lease}0`, "0123456789abcdef", "0123456789abcdef."]) {
    expect(parseLease(text)).toBeUndefined();
  }
});
