// What typedoc does not do by itself: links to names that a file does not import, and pages without repetition.

/** Called by typedoc. */
export function load(application) {
  // `{@link createCache}` leads to what the package exports under that name.
  application.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.[0]?.path;
    const index = from.project.children?.find((module) => module.name === "nearcache");
    const target = index?.children?.find((exported) => exported.name === name);
    return target && { target };
  });
  // Where something was inherited from is of no use to a reader, under each of twenty options.
  application.renderer.on("endPage", (page) => {
    page.contents = page.contents?.replace(/\n#+ (Inherited from|Overrides)\n\n.*\n/g, "");
  });
}
