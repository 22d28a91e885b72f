export const REDIS_MAJOR_MIN: number;
export const REDIS_MISSING: string;
/** The path of redis-server; throws with what to install where there is none. */
export function findRedis(): string;
/** The path of a program, or undefined. */
export function findOnPath(name: string): string | undefined;
/** `[major, minor]`; undefined where the server does not run. */
export function redisVersionOf(server: string): [number, number] | undefined;
export function findValkey(): string | undefined;
