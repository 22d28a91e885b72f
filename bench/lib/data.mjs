// Keys and values that the cases share.
//
// Strings are built through a Buffer, because a template or padEnd() may leave a tree of pieces (a "cons string") that
// is only put together when somebody looks: the first look would be measured as part of whoever comes first.

export const VALUE_BYTES = 100;

/** One buffer for all: a new one each time would be memory that is given back late, and measured as somebody's. */
const bytes = Buffer.alloc(256);

/** A string of `VALUE_BYTES` ASCII characters, different for each `id`. */
export function textOf(id) {
  bytes.fill("abcdefghijklmnopqrstuvwxyz", 0, VALUE_BYTES);
  bytes.write(`value ${id} `, "latin1");
  return bytes.latin1Slice(0, VALUE_BYTES);
}

/** The key of `id` as one flat string that nobody has hashed yet. */
export function keyOf(id, prefix = "user:") {
  return bytes.latin1Slice(0, bytes.write(`${prefix}${id}`, "latin1"));
}

/** Puts `entries` values, one for each `id`, into all stores and returns the keys. */
export function fill(stores, entries, makeValue) {
  const keys = Array.from({ length: entries }, (_, id) => keyOf(id));
  for (const [id, key] of keys.entries()) {
    const value = makeValue(id);
    for (const store of stores) {
      store.set(key, value);
    }
  }
  return keys;
}

/** An ordinary record of 15 fields. */
export function recordOf(id) {
  return {
    id,
    name: `Customer ${id}`,
    email: `customer${id}@example.com`,
    isActive: id % 3 !== 0,
    balance: id * 1.25,
    currency: "EUR",
    country: "DE",
    city: "Hamburg",
    street: `Long Street ${id % 200}`,
    zip: String(20_000 + (id % 999)),
    visits: (id % 500) + 1,
    rating: (id % 50) / 10,
    tags: ["a", "b", "c"],
    createdAt: 1_700_000_000_000 + id,
    note: null,
  };
}
