import type { Instruction } from "./binary.mjs";

export function newerInstructions(disassembly: string): Instruction[];
