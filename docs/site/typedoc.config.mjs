// Settings of typedoc, which makes the reference of what the package exports. Whatever it complains of is an error.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import tsdown from "../../tsdown.config.mjs";
import { PAGES, ROOT } from "./pages.mjs";

export default {
  entryPoints: Object.values(tsdown[0].entry).map((file) => join(ROOT, file)),
  tsconfig: join(ROOT, "tsconfig.json"),
  plugin: [
    "typedoc-plugin-markdown",
    "typedoc-vitepress-theme",
    fileURLToPath(new URL("typedoc-plugin.mjs", import.meta.url)),
  ],
  out: join(PAGES, "reference"),
  docsRoot: PAGES,
  readme: "none",
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  sortEntryPoints: false,
  sort: ["kind", "required-first", "source-order"],
  groupOrder: ["Functions", "Interfaces", "Classes", "Type Aliases", "Variables"],
  router: "structure",
  treatWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, invalidPath: true, notDocumented: true, rewrittenLink: true },
  requiredToBeDocumented: [
    ...["Variable", "Function", "Class", "Interface", "TypeAlias", "Property", "Method", "Accessor"],
    ...["GetSignature", "CallSignature"],
  ],
  // Names of types that say what they are where they are used.
  intentionallyNotExported: ["Timed", "Dimensions", "CompressionChoice", "Held", "Lease"],
  // What they have of their type is left out: the event's name says it.
  intentionallyNotDocumented: ["breaker", "coherence", "gap"].map(
    (name) => `nearcache.CacheEvents.${name}.__type.type`,
  ),
  // How the pages look.
  name: "Reference",
  indexFormat: "table",
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "list",
  hideBreadcrumbs: false,
  hidePageHeader: true,
  pageTitleTemplates: { index: "Reference", module: "{name}", member: "{name}" },
};
