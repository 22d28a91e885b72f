// Lets a comment link to whatever the package exports, as in `{@link createCache}`, from files that don't import it.

/** Called by typedoc. */
export function load(application) {
  application.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.[0]?.path;
    const index = from.project.children?.find((module) => module.name === "nearcache");
    const target = index?.children?.find((exported) => exported.name === name);
    return target && { target };
  });
}
