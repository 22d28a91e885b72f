// The generator's settings. The pages are gathered and the reference is made before: see ../../../scripts/docs.mjs.
import { readFileSync } from "node:fs";
import { slug } from "github-slugger";
import { defineConfig } from "vitepress";
import { copyFiles, repositoryLinks } from "../links.mjs";
import { navigation } from "../navigation.mjs";
import { pageOf } from "../pages.mjs";

const guide = navigation.map(({ text, pages, isFolded }) => ({
  text,
  ...(isFolded && { collapsed: true }),
  items: pages.map(({ title, file }) => ({ text: title, link: linkOf(pageOf(file)) })),
}));
const reference = {
  text: "Reference",
  items: JSON.parse(readFileSync(new URL("../pages/reference/typedoc-sidebar.json", import.meta.url), "utf8")),
};
const figures = guide.findIndex(({ text }) => text === "Figures");

export default defineConfig({
  title: "nearcache",
  description: "A cache for Node.js inside the process: one copy for all worker threads, with a budget in bytes",
  srcDir: "pages",
  outDir: "dist",
  markdown: {
    // Headings have the same anchors here as on GitHub, so that a link works in both places.
    anchor: { slugify: slug },
    config: repositoryLinks,
    languageAlias: { promql: "python" }, // near enough: calls, operators, and # for comments
  },
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    sidebar: guide.toSpliced(figures, 0, reference),
  },
  vite: { build: { chunkSizeWarningLimit: 4_000 } }, // the index that pages are searched by, loaded with the first search
  buildEnd: ({ outDir }) => copyFiles(outDir),
});

/** The address of a page; of an index that of its folder. */
function linkOf(page) {
  return `/${page.replace(/(index)?\.md$/, "")}`;
}
