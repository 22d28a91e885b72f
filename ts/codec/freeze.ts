/**
 * Deep freezing of what a codec of the user's returned. (The built-in decoder freezes while it builds.)
 */

/**
 * Freezes plain objects and arrays all the way down, and says whether that covers the whole value: `false` when there
 * is something in it that can't be frozen (a Map, bytes, a class instance), so that readers must not share it.
 */
export function deepFreeze(value: unknown): boolean {
  let isComplete = true;
  const open: unknown[] = [value];
  const seen = new Set<object>();
  for (let next = open.pop(); next !== undefined || open.length > 0; next = open.pop()) {
    if (typeof next === "function") {
      isComplete = false;
    }
    if (typeof next !== "object" || next === null || seen.has(next)) {
      continue;
    }
    seen.add(next);
    if (!isPlain(next)) {
      isComplete = false;
      continue;
    }
    for (const property of Object.values(Object.getOwnPropertyDescriptors(next))) {
      isComplete &&= "value" in property;
      open.push(property.value);
    }
    Object.freeze(next);
  }
  return isComplete;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return (
    prototype === Object.prototype || prototype === null || (prototype === Array.prototype && Array.isArray(value))
  );
}
