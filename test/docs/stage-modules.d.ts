/** What an example of a codec imports; not installed here. */
declare module "msgpackr" {
  export function pack(value: unknown): Buffer;
  export function unpack(bytes: Uint8Array): unknown;
}
