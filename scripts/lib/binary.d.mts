/** What is known of an addon; only the size where it is not for Linux. */
export interface BinaryFacts {
  bytes: number;
  machine?: string | undefined;
  glibc?: number[] | undefined;
  needed?: string[];
  symbolSections?: string[];
  executableStack?: boolean;
  alignment?: number;
  newer?: Instruction[];
}

export interface Instruction {
  address: string;
  instruction: string;
}

export const ADDON_BYTES_MAX: number;
export function checkBinary(file: string): { facts: BinaryFacts; complaints: string[] };
export function complaintsAbout(facts: BinaryFacts): string[];
export function headerFacts(text: string): Partial<BinaryFacts>;
export function newestGlibc(versionInfo: string): number[] | undefined;
