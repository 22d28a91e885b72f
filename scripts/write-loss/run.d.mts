/** What became of the writes that were reported done. */
export interface Losses {
  reported: number;
  stored: number;
  handedOver: number;
  lost: number;
}
export function countLosses(
  pattern: "through" | "behind",
  ending: "killed" | "exit" | "uncaught" | "idle",
  killAfter?: number,
): Promise<Losses>;
