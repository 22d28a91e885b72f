/** The codec that users may bring instead of the built-in one. */

/**
 * How objects become bytes and bytes objects, instead of the built-in codec. It sees every object but `null`,
 * `Uint8Array` and `Buffer`; strings, numbers, booleans, bigints, null and bytes have their own representation.
 *
 * Not checked: whether what `decode` returns equals what `encode` got. Threads that attach to one named cache must all
 * bring a codec that reads what the others write.
 *
 * @example
 * ```ts
 * import { pack, unpack } from "msgpackr";
 * const cache = createCache({ maxMemory: "64mb", ttl: "1m", codec: { encode: pack, decode: unpack } });
 * ```
 */
export interface Codec {
  /** The value's bytes. They are copied before the call into the cache returns. */
  encode(value: object): Uint8Array;
  /** The value again. `bytes` belongs to the callee, which may keep views on it. */
  decode(bytes: Uint8Array): unknown;
}
