/** One thing the style check found. */
export interface Finding {
  path: string;
  line: number;
  rule: string;
  message: string;
  level: "error" | "warning";
}
export const FILE_LINES_AIM: number;
export const FILE_LINES_MAX: number;
export const FUNCTION_LINES_MAX: number;
export function checkStyle(
  files: ReadonlyMap<string, string>,
  runtimeDependencies?: readonly string[],
  peerDependencies?: readonly string[],
): Finding[];
