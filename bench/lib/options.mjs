// What the command lines of the benchmarks say.
import { parseArgs } from "node:util";

const OPTIONS = {
  quick: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  entries: { type: "string" },
  rounds: { type: "string" },
  out: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
};

/**
 * Reads the arguments; ends the process after `--help`, `--list` or a mistake. `cases` maps names to `{ title, isSlow }`,
 * `paces` has the `rounds` and `batchMs` of a `full` run and of a `quick` one, `help` is the text without the cases.
 */
export function readOptions(args, { cases, paces, help }) {
  const { values, positionals } = parse({ args, options: OPTIONS, allowPositionals: true }, help);
  const list = Object.entries(cases).map(
    ([name, { title, isSlow }]) => `  ${name.padEnd(14)}${title}${isSlow ? " (slow)" : ""}\n`,
  );
  if (values.help || values.list) {
    return end(values.help ? `${help}\nCases:\n${list.join("")}` : list.join(""), 0);
  }
  const unknown = positionals.find((name) => !Object.hasOwn(cases, name));
  if (unknown !== undefined) {
    return end(`There is no case ${unknown}. There are:\n${list.join("")}`, 2);
  }
  const pace = { ...(values.quick ? paces.quick : paces.full), isQuick: values.quick };
  return {
    isQuick: values.quick,
    names:
      positionals.length > 0 ? positionals : Object.keys(cases).filter((name) => values.all || !cases[name].isSlow),
    entries: values.entries === undefined ? undefined : wholeNumber("--entries", values.entries),
    pace: values.rounds === undefined ? pace : { ...pace, rounds: wholeNumber("--rounds", values.rounds) },
    out: values.out,
  };
}

/** Reads options as `parseArgs` describes them, and `--help`; ends the process after that or a mistake. */
export function readFlags(options, help) {
  const { values } = parse({ options: { ...options, help: OPTIONS.help } }, help);
  return values.help ? end(help, 0) : values;
}

function parse(config, help) {
  try {
    return parseArgs(config);
  } catch (error) {
    return end(`${error.message}\n\n${help}`, 2);
  }
}

function wholeNumber(name, text) {
  return /^[1-9]\d{0,8}$/.test(text)
    ? Number(text)
    : end(`${name} takes a whole number of at least 1; it is ${text}.\n`, 2);
}

function end(text, code) {
  (code === 0 ? process.stdout : process.stderr).write(text);
  process.exit(code);
}
