// What the command line says.
import { parseArgs } from "node:util";

const HELP = `Usage: npm run bench -- [options] [case ...]

Measures nearcache against Map and lru-cache, in turns within one run. Without a case: all but the slow ones, in two to
three minutes. Ends with exit code 1 when a target that is counted, not timed, is missed.

  --quick         a rough answer in less than a minute
  --all           the slow cases too
  --entries N     only the scenarios with N entries
  --rounds N      how many rounds (default 40; quick: 12)
  --out FILE      where the JSON goes (default bench/results/<date>-node<major>.json; quick: quick.json)
  --list          says which cases there are
`;

const OPTIONS = {
  quick: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  entries: { type: "string" },
  rounds: { type: "string" },
  out: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
};

/** Reads the arguments; ends the process after `--help`, `--list` or a mistake. `cases` maps names to modules. */
export function readOptions(args, cases) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return end(`${error.message}\n\n${HELP}`, 2);
  }
  const { values, positionals } = parsed;
  const list = Object.entries(cases).map(
    ([name, { title, isSlow }]) => `  ${name.padEnd(14)}${title}${isSlow ? " (slow)" : ""}\n`,
  );
  if (values.help || values.list) {
    return end(values.help ? `${HELP}\nCases:\n${list.join("")}` : list.join(""), 0);
  }
  const unknown = positionals.find((name) => !Object.hasOwn(cases, name));
  if (unknown !== undefined) {
    return end(`There is no case ${unknown}. There are:\n${list.join("")}`, 2);
  }
  return {
    isQuick: values.quick,
    names:
      positionals.length > 0 ? positionals : Object.keys(cases).filter((name) => values.all || !cases[name].isSlow),
    entries: values.entries === undefined ? undefined : wholeNumber("--entries", values.entries),
    pace: {
      rounds: values.rounds === undefined ? (values.quick ? 12 : 40) : wholeNumber("--rounds", values.rounds),
      batchMs: values.quick ? 10 : 25,
      isQuick: values.quick,
    },
    out: values.out,
  };
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
