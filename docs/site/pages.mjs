// Which files of the repository become pages, and at which addresses. They are copied into pages/, where the generator
// reads them; what it is to do with them is in .vitepress/config.mjs.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { navigation } from "./navigation.mjs";

/** The root of the repository. All paths are from here. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where the generator finds the pages. */
export const PAGES = fileURLToPath(new URL("pages/", import.meta.url));

const pages = new Map(navigation.flatMap(({ pages }) => pages).map(({ file, page = addressOf(file) }) => [file, page]));
const sources = new Map([...pages].map(([file, page]) => [page, file]));

/** The page that a file becomes, or undefined if it is none. */
export function pageOf(file) {
  return pages.get(file);
}

/** The file that a page comes from, or undefined if it is generated. */
export function sourceOf(page) {
  return sources.get(page);
}

/** Puts all pages where the generator finds them. */
export function gatherPages() {
  rmSync(PAGES, { recursive: true, force: true });
  const forgotten = documents().filter((file) => !pages.has(file));
  if (forgotten.length > 0) {
    throw new Error(`docs/site/navigation.mjs does not lead to ${forgotten.join(", ")}.`);
  }
  for (const [file, page] of pages) {
    mkdirSync(dirname(join(PAGES, page)), { recursive: true });
    copyFileSync(join(ROOT, file), join(PAGES, page));
  }
}

/** The pages of docs/ that are written, not generated. */
function documents() {
  return readdirSync(join(ROOT, "docs"), { recursive: true })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md") && !path.startsWith("docs/site/"));
}

function addressOf(file) {
  return file.replace(/^docs\//, "");
}
