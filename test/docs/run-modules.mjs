// Runs modules one after the other, and ends with what the first that fails says.
import { pathToFileURL } from "node:url";

for (const file of process.argv.slice(2)) {
  await import(pathToFileURL(file).href);
}
process.exit(0);
