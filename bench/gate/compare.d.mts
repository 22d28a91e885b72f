export const TOLERANCE: number;
export interface Figure {
  value: number;
  better: "less" | "more";
}
export interface Row {
  name: string;
  baseline?: number;
  value?: number;
  /** As a part of the baseline. */
  change?: number;
  verdict: "same" | "better" | "worse" | "new" | "missing" | "skipped";
  reason?: string;
}
export function compareFigures(
  figures: Record<string, Figure>,
  baseline: Record<string, number>,
  skipped?: Record<string, string>,
): Row[];
export function isFailure(row: Row): boolean;
