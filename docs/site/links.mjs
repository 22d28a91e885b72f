// Links in the pages are as they work in the repository: relative, to files. This turns them into the site's addresses, and
// fails on those that lead nowhere. What is no page (a licence, a drawing) is copied to the site as a file.
import { copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { pageOf, ROOT, sourceOf } from "./pages.mjs";

const IS_ABSOLUTE = /^([a-z]+:|\/|#)/i;
const files = new Set();

/** A plugin for markdown-it. */
export function repositoryLinks(markdown) {
  markdown.core.ruler.push("repository-links", ({ tokens, env }) => {
    const source = sourceOf(env.relativePath);
    if (source === undefined) {
      return; // generated, with links of the site
    }
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const name = token.type === "link_open" ? "href" : token.type === "image" ? "src" : undefined;
      const target = name && token.attrGet(name);
      if (target && !IS_ABSOLUTE.test(target)) {
        rewrite(token, name, target, source);
      }
    }
  });
}

/** Copies to the site what pages link to and is no page. */
export function copyFiles(site) {
  for (const file of files) {
    mkdirSync(dirname(join(site, "files", file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(site, "files", file));
  }
}

function rewrite(token, name, target, source) {
  const [path, anchor] = target.split("#");
  const linked = posix.join(posix.dirname(source), decodeURI(path));
  if (!existsSync(join(ROOT, linked)) || !statSync(join(ROOT, linked)).isFile()) {
    throw new Error(`${source} links to ${target}, and there is no file ${linked}.`);
  }
  const page = pageOf(linked);
  if (page !== undefined) {
    token.attrSet(name, `/${page}${anchor === undefined ? "" : `#${anchor}`}`);
    return;
  }
  files.add(linked);
  token.attrSet(name, `/files/${linked}`);
  if (name === "href") {
    token.attrSet("target", "_self"); // VitePress would take it for a page
  }
}
