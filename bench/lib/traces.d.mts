export const REQUESTS: number;
export const TRACES: Record<string, { about: string; keys(): number[] }>;
export function uniqueKeys(keys: number[]): number;
export function packed(keys: number[]): Buffer;
