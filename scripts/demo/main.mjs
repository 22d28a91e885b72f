// `npm run demo`: a web shop on loopback, two server threads and one that makes the load, first without
// a cache and then with nearcache shared by both server threads.
//
//   npm run demo                   product pages, a skewed popularity that shifts
//   npm run demo -- --seconds 4    shorter or longer than the usual 13
//   npm run demo -- --log FILE     the requests of an access log in the common log format
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { AccessLogError, readAccessLog } from "./access-log.mjs";
import { SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN, WITHOUT_CACHE_SHARE } from "./options.mjs";
import { fillShop, PRODUCTS } from "./shop.mjs";
import { ShopUnderLoad } from "./shop-under-load.mjs";
import { comparison, count } from "./view.mjs";

const USAGE = `usage: npm run demo [-- [--log FILE] [--seconds N]]
  --log FILE     replay the requests of an access log in the common log format (.gz too)
  --seconds N    measure for so long in all, ${SECONDS_MIN} to ${SECONDS_MAX}; ${SECONDS_DEFAULT} if left out`;

/** A wrong argument, in words for the person who gave it. */
class UsageError extends Error {}

const folder = mkdtempSync(join(tmpdir(), "nearcache-demo-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
// Whoever reads our output may stop early (`| head`).
process.stdout.on("error", () => process.exit(1));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(130));
}

try {
  await demo(readArguments());
} catch (error) {
  const isExpected =
    error instanceof AccessLogError || error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS");
  console.error(isExpected ? `${error.message}\n${USAGE}` : error);
  process.exit(1);
}

function readArguments() {
  const { values } = parseArgs({
    options: { log: { type: "string" }, seconds: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const seconds = Number(values.seconds ?? SECONDS_DEFAULT);
  if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
    throw new UsageError(`--seconds ${values.seconds}: a number from ${SECONDS_MIN} to ${SECONDS_MAX} is wanted.`);
  }
  return { logFile: values.log, durationMs: seconds * 1000 };
}

async function demo({ logFile, durationMs }) {
  // npm starts scripts in the package's root; INIT_CWD is where the person stood.
  const log = logFile === undefined ? undefined : await openLog(resolve(process.env.INIT_CWD ?? "", logFile));
  const database = join(folder, "shop.db");
  console.log(`Filling an SQLite database: ${count(fillShop(database))} rows, ${count(PRODUCTS)} products.`);
  const shop = await ShopUnderLoad.open(database, log);

  const before = await shop.phase("without cache", durationMs * WITHOUT_CACHE_SHARE);
  await shop.useCache();
  const after = await shop.phase("with nearcache", durationMs * (1 - WITHOUT_CACHE_SHARE));

  console.log(`\n${comparison(before, after)}\n`);
  await shop.reportPrices();
  await shop.close();
}

async function openLog(file) {
  const log = await readAccessLog(file);
  console.log(
    `${file}: ${count(log.order.length)} requests for ${count(log.paths.length)} paths from ${count(log.lines)} lines` +
      `${log.isCut ? " (the rest is left out)" : ""}; ${count(log.otherMethods)} with other methods than GET and HEAD ` +
      `left out, ${count(log.badLines)} not understood.`,
  );
  for (const { line, text } of log.badExamples) {
    console.log(`  not understood, line ${line}: ${text}`);
  }
  return log;
}
