/**
 * Values that are worth it are compressed, off the main thread. What is read is never allowed to grow beyond the largest
 * value that the tier would have written.
 *
 * Which way and which level is measured in docs/decisions/0008-compression.md.
 */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { Compression, type Stored, UndecodableError } from "./format.js";

/** A way to compress. */
export type CompressionChoice = "zstd" | "brotli" | "gzip";

type Transform = (bytes: Uint8Array, options: object) => Promise<Buffer>;

interface Way {
  readonly code: number;
  readonly compress: Transform;
  readonly decompress: Transform;
  readonly options: (length: number) => object;
}

/** The parts of `node:zlib` that only newer versions of Node.js have. */
interface ZstdOfZlib {
  readonly zstdCompress?: Parameters<typeof promisify>[0];
  readonly zstdDecompress?: Parameters<typeof promisify>[0];
}

const { zstdCompress, zstdDecompress } = zlib as ZstdOfZlib;
/** `ZSTD_c_compressionLevel`, which the types of the oldest Node.js don't have. */
const ZSTD_LEVEL = 100;

const WAYS: Record<CompressionChoice, Way | undefined> = {
  zstd:
    zstdCompress === undefined || zstdDecompress === undefined
      ? undefined
      : {
          code: Compression.zstd,
          compress: promisify(zstdCompress) as Transform,
          decompress: promisify(zstdDecompress) as Transform,
          options: () => ({ params: { [ZSTD_LEVEL]: 1 } }),
        },
  brotli: {
    code: Compression.brotli,
    compress: promisify(zlib.brotliCompress) as Transform,
    decompress: promisify(zlib.brotliDecompress) as Transform,
    options: (length) => ({
      params: {
        [zlib.constants.BROTLI_PARAM_QUALITY]: 1,
        [zlib.constants.BROTLI_PARAM_SIZE_HINT]: length,
      },
    }),
  },
  gzip: {
    code: Compression.gzip,
    compress: promisify(zlib.gzip) as Transform,
    decompress: promisify(zlib.gunzip) as Transform,
    options: () => ({ level: 1 }),
  },
};

/** Whether this version of Node.js can. */
export function isSupported(choice: CompressionChoice): boolean {
  return WAYS[choice] !== undefined;
}

/** The bytes as they are to be stored: compressed if there is a way and it makes them smaller. */
export async function compress(bytes: Uint8Array, choice: CompressionChoice): Promise<Stored> {
  const way = WAYS[choice];
  const smaller = await way?.compress(bytes, way.options(bytes.byteLength));
  return way !== undefined && smaller !== undefined && smaller.byteLength < bytes.byteLength
    ? { compression: way.code, bytes: smaller }
    : { compression: Compression.none, bytes };
}

/**
 * The bytes as they were.
 * @throws {@link UndecodableError} if they are damaged, larger than `bytesMax`, or compressed in a way that is not known here.
 */
export async function decompress({ compression, bytes }: Stored, bytesMax: number): Promise<Uint8Array> {
  if (compression === Compression.none) {
    return bytes;
  }
  const way = Object.values(WAYS).find((candidate) => candidate?.code === compression);
  if (way === undefined) {
    throw new UndecodableError(`it is compressed in a way (${compression}) that this version of Node.js does not know`);
  }
  try {
    return await way.decompress(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    throw new UndecodableError("it can't be decompressed", { cause });
  }
}
