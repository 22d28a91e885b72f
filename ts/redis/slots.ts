/** Which slot of a Redis Cluster a key lies in: CRC-16 (XMODEM) of the key, or of its hash tag, as the specification says. */

const SLOTS = 16_384;
const POLYNOMIAL = 0x1021;
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  }
  return crc;
});

/** The slot of a key, from 0 to 16,383. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashedPart(key))) {
    crc = ((crc << 8) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] as number)) & 0xffff;
  }
  return crc % SLOTS;
}

/** What stands between the first `{` and the next `}`, if that is not empty. */
function hashedPart(key: string): string {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** Groups items by the slot of their key, in the order in which the slots appear. */
export function groupBySlot<T>(items: Iterable<T>, keyOf: (item: T) => string): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const slot = slotOf(keyOf(item));
    const group = groups.get(slot);
    if (group === undefined) {
      groups.set(slot, [item]);
    } else {
      group.push(item);
    }
  }
  return [...groups.values()];
}
