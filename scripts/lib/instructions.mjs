// Finds instructions in a disassembly of arm64 code that came after ARMv8.0, which a Raspberry Pi 4, Graviton 1 and other
// Cortex-A53 to A73 don't know: they end the process with SIGILL.
//
// Atomic operations of ARMv8.1 (LSE) are allowed where they are chosen at run time. Compilers do that in small functions of
// their own (`__aarch64_cas4_relax` and so on). An addon is stripped, so they are known by their shape and not by name:
// a branch on a byte in memory over two instructions, the atomic one and a return.

/** Atomic operations of ARMv8.1: the operation, the order (a, l), the width (b, h). */
const LSE = /^(casp?|swp|(ld|st)(add|clr|eor|set|smax|smin|umax|umin))(a|l|al)?(b|h)?$/;
/** Others that only newer processors have, or that ARMv8.0 leaves optional. */
const NEWER = [
  /^ldapu?r(b|h|sb|sh|sw)?$/, // ARMv8.3, RCPC
  /^sqrdml[as]h$/, // ARMv8.1
  /^(retaa|retab|braaz?|brabz?|blraaz?|blrabz?|ldraa|ldrab|eretaa|eretab)$/, // ARMv8.3; paciasp and its like are hints
  /^(aes(d|e|mc|imc)|sha(1|256|512)\w+|crc32c?[bhwx]|[su]dot|fjcvtzs|fcmla|fcadd)$/,
  /^(cpy|set)[fpme]\w*$/, // ARMv8.8, memory copies
];
/** Registers of SVE. */
const SVE = /\bz\d+\.[bhsdq]\b|\bp\d+(\/[mz]|\.[bhsd])\b/;

/** What of the disassembly ARMv8.0 doesn't know, as `{ address, instruction }`. */
export function newerInstructions(text) {
  const lines = text
    .split("\n")
    .map(parse)
    .filter((line) => line !== undefined);
  return lines
    .filter(({ mnemonic, operands }, at) =>
      LSE.test(mnemonic)
        ? !isChosenAtRunTime(lines, at)
        : NEWER.some((pattern) => pattern.test(mnemonic)) || SVE.test(operands),
    )
    .map(({ address, mnemonic, operands }) => ({ address, instruction: `${mnemonic} ${operands}`.trim() }));
}

function isChosenAtRunTime(lines, at) {
  const [load, branch, , after] = lines.slice(Math.max(at - 2, 0), at + 2);
  return (
    load?.mnemonic === "ldrb" &&
    branch?.mnemonic === "cbz" &&
    after?.mnemonic === "ret" &&
    branch.operands.startsWith("w16, ") &&
    load.operands.startsWith("w16, [x16")
  );
}

/** `  8a1ec:  casb  w0, w1, [x2]` taken apart; undefined for lines that are no instructions. */
function parse(line) {
  const match = /^\s*([\da-f]+):\t(?:[\da-f]{8} *\t)?([a-z][\w.]*)(?:[\t ]+(.*))?$/.exec(line);
  return match === null ? undefined : { address: `0x${match[1]}`, mnemonic: match[2], operands: match[3] ?? "" };
}
