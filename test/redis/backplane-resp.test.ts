// The parser of the backplane's connections: whatever the chunks, the same replies; whatever the junk, a typed error.
import { describe, expect, test, vi } from "vitest";
import {
  BULK_BYTES_MAX,
  ErrorReply,
  encodeCommand,
  ITEMS_MAX,
  type Reply,
  RespError,
  RespParser,
} from "../../ts/redis/backplane/resp.js";
import { Random } from "../support/random.js";

type Seen = ["reply", Reply] | ["push", readonly Reply[]];

function parser() {
  const seen: Seen[] = [];
  const handler = {
    reply: (reply: Reply) => seen.push(["reply", reply]),
    push: (items: readonly Reply[]) => seen.push(["push", items]),
  };
  return { seen, parser: new RespParser(handler) };
}

function parse(text: string | Buffer): Seen[] {
  const { seen, parser: reader } = parser();
  reader.push(Buffer.from(text));
  return seen;
}

/** A random reply: its bytes, and what must be read. */
function anyReply(random: Random, depth: number): { wire: Buffer; reply: Reply } {
  const line = (text: string, reply: Reply) => ({ wire: Buffer.from(`${text}\r\n`), reply });
  const number = random.below(2_000_000) - 1_000_000;
  const bytes = random.bytes(random.below(random.pick([3, 30, 3_000])));
  const bulk = (type: string, body: Buffer, reply: Reply) => {
    const wire = Buffer.concat([Buffer.from(`${type}${body.length}\r\n`), body, Buffer.from("\r\n")]);
    return { wire, reply };
  };
  const scalars = [
    () => line(`+text ${number}`, `text ${number}`),
    () => line(`-ERR ${number}`, new ErrorReply(`ERR ${number}`)),
    () => line(`:${number}`, number),
    () => line(`,${number}.5`, Number(`${number}.5`)),
    () => line("(12345678901234567890123", 12345678901234567890123n),
    () => line(":9223372036854775807", 9223372036854775807n),
    () => line(random.pick(["_", "$-1", "*-1"]), null),
    () => line("#t", true),
    () => bulk("$", bytes, bytes),
    () => bulk("$", bytes, bytes),
    () => bulk("=", Buffer.concat([Buffer.from("txt:"), bytes]), bytes),
    () => bulk("!", Buffer.from(`ERR ${number}`), new ErrorReply(`ERR ${number}`)),
  ];
  if (depth === 0 || random.next() < 0.6) return random.pick(scalars)();
  const items = Array.from({ length: 2 * random.below(4) }, () => anyReply(random, depth - 1));
  return aggregate(random.pick(["*", "~", "%"]), items);
}

function aggregate(type: string, items: { wire: Buffer; reply: Reply }[]): { wire: Buffer; reply: Reply } {
  const replies = items.map(({ reply }) => reply);
  const isMap = type === "%";
  const length = isMap ? items.length / 2 : items.length;
  const wire = Buffer.concat([Buffer.from(`${type}${length}\r\n`), ...items.map((item) => item.wire)]);
  const pairs = Array.from({ length: items.length / 2 }, (_, i) => [replies[2 * i], replies[2 * i + 1]] as Reply[]);
  return { wire, reply: isMap ? pairs : replies };
}

describe("replies and pushes", () => {
  test("are the same whatever the chunks: 2,000 random conversations", () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const random = new Random(seed);
      const expected: Seen[] = [];
      const wires: Buffer[] = [];
      for (let i = 0; i <= random.below(4); i++) {
        const { wire, reply } = anyReply(random, 3);
        const isPush = Array.isArray(reply) && wire[0] === 42 && random.next() < 0.5;
        if (isPush) wire[0] = 62;
        expected.push(isPush ? ["push", reply] : ["reply", reply]);
        // An attribute may come before anything.
        wires.push(random.next() < 0.2 ? Buffer.from("|1\r\n+ttl\r\n:5\r\n") : Buffer.alloc(0), wire);
      }
      const { seen, parser: reader } = parser();
      let rest = Buffer.concat(wires);
      const chunkMax = random.pick([1, 7, 1_000, 100_000]);
      while (rest.length > 0) {
        const length = Math.min(rest.length, 1 + random.below(chunkMax));
        reader.push(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
      expect(seen, `seed ${seed}`).toEqual(expected);
    }
  });

  test("an invalidation names binary keys, or everything", () => {
    const key = Buffer.from([0, 255, 13, 10, 128]);
    const wire = Buffer.concat([Buffer.from(">2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\n"), key, Buffer.from("\r\n")]);
    expect(parse(wire)).toEqual([["push", [Buffer.from("invalidate"), [key]]]]);
    expect(parse(">2\r\n$10\r\ninvalidate\r\n_\r\n")).toEqual([["push", [Buffer.from("invalidate"), null]]]);
  });

  test("a string that comes in many chunks is joined once", () => {
    const { seen, parser: reader } = parser();
    const length = 8 * 1024 * 1024;
    reader.push(Buffer.from(`$${length}\r\n`));
    const chunk = Buffer.alloc(1_024, "x");
    const joins = vi.spyOn(Buffer, "concat");
    for (let i = 0; i < length / chunk.length; i++) reader.push(chunk);
    reader.push(Buffer.from("\r\n"));
    expect(seen.map(([, reply]) => (reply as Buffer).length)).toEqual([length]);
    // Joining it anew with each of the 8,192 chunks would copy 32 GiB.
    expect(joins.mock.calls.length).toBeLessThan(5);
    joins.mockRestore();
  });

  test("doubles have infinities and a NaN", () => {
    expect(parse(",inf\r\n,-inf\r\n,nan\r\n,1e3\r\n").map(([, reply]) => reply)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      1_000,
    ]);
  });
});

describe("what is no RESP", () => {
  test.each([
    "HTTP/1.1 400 Bad Request\r\n",
    "hello\r\n",
    "\r\n",
    "$abc\r\n",
    "$-2\r\n",
    "$?\r\n",
    "*?\r\n",
    "*-2\r\n",
    "$3\r\nabcde",
    ":\r\n",
    ":1.5\r\n",
    ":12345678901234567890\r\n",
    ",\r\n",
    ",1,5\r\n",
    "(1.5\r\n",
    "#x\r\n",
    "_x\r\n",
    "=2\r\nab\r\n",
    "+a\rb\r\n",
    "*1\r\n>1\r\n+a\r\n",
    `$${BULK_BYTES_MAX + 1}\r\n`,
    `*${ITEMS_MAX + 1}\r\n`,
    "*1\r\n".repeat(9),
    `+${"x".repeat(9_000)}`,
  ])("is refused: %j", (text) => {
    expect(() => parse(text.slice(0, 10_000))).toThrow(RespError);
  });

  test("never does more harm than that: 20,000 random inputs", () => {
    const alphabet = [..."+-:$*~%|>_#,(!=0123456789\r\n\r\n\r\nab"].map((char) => char.charCodeAt(0));
    for (let seed = 0; seed < 20_000; seed++) {
      const random = new Random(seed);
      const { parser: reader } = parser();
      const junk =
        seed % 2 === 0 ? random.bytes(60) : Buffer.from(Array.from({ length: 60 }, () => random.pick(alphabet)));
      try {
        for (const byte of junk) reader.push(Buffer.from([byte]));
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(RespError);
      }
    }
  });
});

test("a command is a list of strings of bytes", () => {
  expect(encodeCommand(["SET", "ключ", Buffer.from([0, 13, 10])]).toString("latin1")).toBe(
    Buffer.from("*3\r\n$3\r\nSET\r\n$8\r\nключ\r\n$3\r\n\0\r\n\r\n").toString("latin1"),
  );
});
