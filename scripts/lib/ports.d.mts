/** A port on the loopback interface that was free a moment ago. */
export function freePort(): Promise<number>;
