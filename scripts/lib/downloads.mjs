// What the scripts for other platforms fetch, once, into target/cross/: packages of npm and of Debian. Nothing outside of
// that folder is touched, and nothing is installed: archives are unpacked, and none of their scripts runs.
//
// Each is checked before it is used: an npm package by the hash in scripts/cross/package-lock.json, a Debian package by
// apt, with the signature of the archive's index.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { capture, fail, ROOT, run } from "./run.mjs";

/** Everything that is fetched, and what is built with it. */
export const CROSS = join(ROOT, "target/cross");

/** The first release of Debian with the Rust that we need. */
const SUITE = "forky";
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The folder of a package that scripts/cross/package-lock.json names, as it comes from npm. `prepare` gets the folder
 * once, before it has its final name.
 */
export function npmPackage(name, prepare = () => {}) {
  const { version, integrity } = lockedPackage(name);
  return once(`${name.replace("@", "").replace("/", "-")}-${version}`, (folder) => {
    const spec = `${name}@${version}`;
    console.log(`fetching ${spec}`);
    const pack = ["pack", "--silent", "--prefer-offline", "--pack-destination", folder, spec];
    const archive = join(folder, capture("npm", pack).trim());
    const [algorithm, expected] = integrity.split(/-(.*)/s);
    const found = createHash(algorithm).update(readFileSync(archive)).digest("base64");
    if (found !== expected) {
      fail(`${spec} is not what scripts/cross/package-lock.json says: ${algorithm}-${found}, and not ${integrity}.`);
    }
    run("tar", ["xzf", archive, "-C", folder, "--strip-components=1"]);
    rmSync(archive);
    prepare(folder);
  });
}

/**
 * A folder with Debian packages unpacked into it. A name may end in an architecture (`libc6:arm64`); `needed` says of
 * which packages that these depend on are wanted too.
 */
export function debianPackages(label, names, needed = () => false) {
  return once(`debian-${label}`, (folder) => {
    const apt = privateApt();
    const all = withDependencies(apt, names, needed);
    console.log(`fetching ${all.join(", ")}`);
    const archives = join(folder, "archives");
    mkdirSync(archives);
    run("apt-get", [...apt, "--quiet", "download", ...all], { cwd: archives, stdio: ["ignore", "ignore", "inherit"] });
    for (const archive of readdirSync(archives)) {
      run("dpkg", ["-x", join(archives, archive), folder]);
    }
    rmSync(archives, { recursive: true });
    if (!existsSync(join(folder, "lib"))) {
      symlinkSync("usr/lib", join(folder, "lib")); // as on an installed system, where no package owns it
    }
  });
}

/** The folder `name` of {@link CROSS}: made by `make` unless it is there already, and never left half made. */
export function once(name, make) {
  const folder = join(CROSS, name);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}.tmp`;
    mkdirSync(unfinished, { recursive: true });
    make(unfinished);
    renameSync(unfinished, folder);
  }
  return folder;
}

function lockedPackage(name) {
  const lock = JSON.parse(readFileSync(join(ROOT, "scripts/cross/package-lock.json"), "utf8"));
  return lock.packages[`node_modules/${name}`] ?? fail(`scripts/cross/package.json does not name ${name}.`);
}

let aptArguments;

/** Arguments with which apt knows {@link SUITE} on two architectures, and nothing of this machine's packages. */
function privateApt() {
  if (aptArguments !== undefined) {
    return aptArguments;
  }
  const home = join(CROSS, "apt");
  mkdirSync(join(home, "lists/partial"), { recursive: true });
  mkdirSync(join(home, "cache/archives/partial"), { recursive: true });
  writeFileSync(join(home, "status"), "");
  const source = `deb [arch=amd64,arm64 signed-by=${DEBIAN_KEYS}] ${debianMirror()} ${SUITE} main\n`;
  writeFileSync(join(home, "sources.list"), source);
  const options = {
    "Dir::State": home,
    "Dir::State::status": join(home, "status"),
    "Dir::State::lists": join(home, "lists"),
    "Dir::Cache": join(home, "cache"),
    "Dir::Etc::SourceList": join(home, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "APT::Architecture": "amd64",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  aptArguments = Object.entries(options).map(([name, value]) => `--option=${name}=${value}`);
  aptArguments.push("--option=APT::Architectures::=amd64", "--option=APT::Architectures::=arm64");
  run("apt-get", [...aptArguments, "--quiet", "update"], { stdio: ["ignore", "ignore", "inherit"] });
  return aptArguments;
}

/** The mirror that this machine's own packages come from, if it is one of Debian's. */
function debianMirror() {
  if (process.env.DEBIAN_MIRROR) {
    return process.env.DEBIAN_MIRROR;
  }
  const filter = ["Created-By: Packages", "Origin: Debian", "Component: main"];
  const mirrors = capture("apt-get", ["indextargets", "--format", "$(REPO_URI)", ...filter]).split("\n");
  const mirror = mirrors.find((address) => address !== "" && !address.includes("security"));
  return mirror ?? fail("The tools come from Debian: name one of its mirrors, DEBIAN_MIRROR=… before the command.");
}

function withDependencies(apt, names, needed) {
  const found = new Set(names);
  for (let added = names; added.length > 0; ) {
    const text = capture("apt-cache", [...apt, "--important", "depends", ...added]);
    added = dependenciesIn(text).filter((name) => needed(name) && !found.has(name));
    for (const name of added) {
      found.add(name);
    }
  }
  return [...found].sort();
}

/** Package names in what `apt-cache depends` prints; of alternatives, the first. */
function dependenciesIn(text) {
  const names = new Set();
  let isLater = false;
  for (const line of text.split("\n")) {
    const match = /^ ( |\|)(?:Pre)?Depends: ([^<\s]+)$/.exec(line);
    if (match && !isLater) {
      names.add(match[2]);
    }
    isLater = match?.[1] === "|";
  }
  return [...names];
}
