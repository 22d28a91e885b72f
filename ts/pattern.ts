/** Patterns of keys, in which `*` stands for any text, the empty one too; nothing else is special. */

/** What every key that fits begins with. */
export function prefixOfPattern(pattern: string): string {
  return pattern.split("*", 1)[0] ?? "";
}

/** Whether a key fits. In time linear in the key's length for each `*`, whatever the pattern. */
export function matcher(pattern: string): (key: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) {
    return (key) => key === pattern;
  }
  return (key) => {
    if (!key.startsWith(first) || !key.endsWith(last) || key.length < first.length + last.length) {
      return false;
    }
    let at = first.length;
    for (const part of rest) {
      const found = key.indexOf(part, at);
      if (found === -1) {
        return false;
      }
      at = found + part.length;
    }
    return at <= key.length - last.length;
  };
}
