/** What readAccessLog found in a file. */
export interface AccessLog {
  paths: string[];
  order: Uint32Array;
  lines: number;
  otherMethods: number;
  badLines: number;
  badExamples: { line: number; text: string }[];
  isCut: boolean;
}
export const REQUESTS_MAX: number;
export class AccessLogError extends Error {}
export function readAccessLog(file: string): Promise<AccessLog>;
