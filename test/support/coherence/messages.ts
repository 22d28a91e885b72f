// What the proof's processes and the test say to each other.

/** How a process begins, as its only argument, in JSON. */
export interface Role {
  /** The cache itself, or the smallest that keeps the rules: if only one of them fails, that tells where to look. */
  readonly kind: "cache" | "map";
  readonly mode: "tracking" | "stream";
  /** Where Redis is for this process: a proxy of its own. */
  readonly port: number;
  readonly seed: number;
  readonly keyCount: number;
  readonly isWriter: boolean;
}

export type Order =
  /** Writes every key once, and tells that it has stopped. */
  | { readonly type: "fill" }
  | { readonly type: "run" }
  /** Stops what it does and tells what it has. */
  | { readonly type: "stop" }
  /** Reads all keys again and again until each has this value, 0 for none. */
  | { readonly type: "converge"; readonly expected: readonly number[] }
  /** Tells what there was from the beginning. */
  | { readonly type: "tell" };

export type Report =
  | { readonly type: "ready" }
  /** The writer's: what every key holds for certain. */
  | { readonly type: "stopped"; readonly expected: readonly number[] }
  | { readonly type: "converged"; readonly hasConverged: boolean }
  | {
      readonly type: "told";
      /** The writer's: which key each value was meant for. */
      readonly attempts: readonly (readonly [value: number, key: number])[];
      readonly pairs: readonly number[];
      readonly reads: number;
      /** How many reads Redis was not asked for. */
      readonly hits: number;
      readonly gaps: number;
    };
