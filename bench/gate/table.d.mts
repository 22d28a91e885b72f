import type { Row } from "./compare.mjs";
export function textTable(rows: Row[]): string[];
export function markdownTable(rows: Row[]): string[];
