// Import direction. The arrow is ts/ -> crates/node -> crates/engine, and inside of ts/ and of the
// engine data flows one way too: modules (files, or folders with what is in them) form no cycle. What each file may import from outside is
// a short list here, so that a new dependency is a decision and not an accident.
import { posix } from "node:path";
import { crateImports } from "./rust.mjs";
import { imports } from "./typescript.mjs";

/** Crates that each of our crates may depend on; tests and benchmarks may use more. */
const CRATE_DEPENDENCIES = {
  engine: ["crossbeam-utils", "foldhash", "libc", "loom", "shuttle", "windows-sys"],
  node: ["foldhash", "libc", "napi", "napi-derive", "napi-sys", "napi-build", "nearcache-engine", "windows-sys"],
  replay: ["clap", "flate2", "indicatif", "nearcache-engine", "plotters", "ruzstd", "serde_json", "thiserror"],
};

/** Where the entry points are whose users bring a package of their own, such as `keyv`. */
const PEER_FOLDERS = /^ts\/(adapters|observe)\//;

/**
 * Checks a whole tree. `files` maps paths to texts; the result is `{ path, line, rule, message }[]`.
 * `runtimeDependencies` are the packages that ts/ may import; `peerDependencies` those that only entry points for
 * their users may, which nothing else of ts/ imports.
 */
export function checkDirection(files, runtimeDependencies, peerDependencies) {
  const paths = [...files.keys()];
  const typescript = paths.filter((path) => /^ts\/.*\.ts$/.test(path));
  const engine = paths.filter((path) => /^crates\/engine\/src\/.*\.rs$/.test(path));
  const manifests = paths.filter((path) => /^crates\/\w+\/Cargo\.toml$/.test(path));
  return [
    ...typescript.flatMap((path) => checkOutsideImports(path, files.get(path), runtimeDependencies, peerDependencies)),
    ...checkCycles(typescriptGraph(typescript, files)),
    ...checkCycles(engineGraph(engine, files)),
    ...manifests.flatMap((path) => checkManifest(path, files.get(path))),
  ];
}

function checkOutsideImports(path, text, runtimeDependencies, peerDependencies) {
  const allowed = PEER_FOLDERS.test(path) ? [...runtimeDependencies, ...peerDependencies] : runtimeDependencies;
  return imports(path, text).flatMap(({ name, line }) => {
    const message = outsideImportProblem(path, name, allowed);
    return message ? [{ path, line, rule: "import", message }] : [];
  });
}

function outsideImportProblem(path, name, runtimeDependencies) {
  if (name.startsWith(".")) {
    const target = posix.join(posix.dirname(path), name);
    if (!target.startsWith("ts/")) {
      return `${name} lies outside of ts/`;
    }
    if (PEER_FOLDERS.test(target) && !PEER_FOLDERS.test(path)) {
      return `${name} is an entry point of its own: the core must not load it`;
    }
    return /^ts\/index\./.test(target) ? "index is the outside face: import the module itself" : undefined;
  }
  const packageName = name.split("/", name.startsWith("@") ? 2 : 1).join("/");
  const isKnown = name.startsWith("node:") || runtimeDependencies.includes(packageName);
  return isKnown ? undefined : `${name} is no dependency of the published package`;
}

/** From each module of ts/ to the modules it imports. A module is a file, or a folder with all its files. */
function typescriptGraph(paths, files) {
  const graph = new Map();
  for (const path of paths) {
    const edges = imports(path, files.get(path))
      .filter(({ name }) => name.startsWith("."))
      .map(({ name, line }) => ({ to: typescriptModule(posix.join(posix.dirname(path), name)), from: path, line }));
    addEdges(graph, typescriptModule(path), edges);
  }
  return graph;
}

function typescriptModule(path) {
  return /^ts\/([^/.]+)/.exec(path)?.[1] ?? path;
}

/** From each top-level module of the engine to the modules it uses; lib.rs only names them all. */
function engineGraph(paths, files) {
  const graph = new Map();
  for (const path of paths) {
    const from = engineModule(path);
    if (from !== "lib") {
      const edges = crateImports(files.get(path)).map(({ name, line }) => ({ to: name, from: path, line }));
      addEdges(graph, from, edges);
    }
  }
  return graph;
}

function engineModule(path) {
  return /^crates\/\w+\/src\/(\w+)/.exec(path)[1];
}

/** What a module imports from itself is its own business. */
function addEdges(graph, from, edges) {
  const outward = edges.filter(({ to }) => to !== from);
  graph.set(from, [...(graph.get(from) ?? []), ...outward]);
}

/** Depth first; an edge back to a module that is still open closes a cycle. */
function checkCycles(graph) {
  const state = new Map();
  const found = [];
  const walk = (name, trail) => {
    state.set(name, "open");
    for (const edge of graph.get(name) ?? []) {
      if (state.get(edge.to) === "open") {
        const cycle = [...trail.slice(trail.indexOf(edge.to)), edge.to].join(" -> ");
        found.push({ path: edge.from, line: edge.line, rule: "cycle", message: `imports go in a circle: ${cycle}` });
      } else if (!state.has(edge.to) && graph.has(edge.to)) {
        walk(edge.to, [...trail, edge.to]);
      }
    }
    state.set(name, "done");
  };
  for (const name of graph.keys()) {
    if (!state.has(name)) {
      walk(name, [name]);
    }
  }
  return found;
}

/** Reads the `[dependencies]` tables of a manifest: one `name = …` per line is all that we write there. */
function checkManifest(path, text) {
  const crate = /^crates\/(\w+)\//.exec(path)[1];
  const allowed = CRATE_DEPENDENCIES[crate];
  const found = [];
  let isDependencies = false;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.startsWith("[")) {
      isDependencies = /^\[(target\..*\.)?(build-)?dependencies\]/.test(line);
    }
    const name = /^([\w-]+)(?:\.\w+)?\s*=/.exec(line)?.[1];
    if (allowed && isDependencies && name && !allowed.includes(name)) {
      const message = `crates/${crate} must not depend on ${name} (scripts/style/direction.mjs lists what it may)`;
      found.push({ path, line: index + 1, rule: "import", message });
    }
  }
  return found;
}
