// Lays out what is published: `nearcache` itself and one package for each platform, which holds an addon and nothing else.
//
// napi-rs says what a platform's package.json must have (`napi` in package.json names the targets); its names, though, are
// `nearcache-linux-x64-gnu`, and ours lie in a scope that nobody else can publish to: `@nearcache/linux-x64-gnu`.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { NapiCli } from "@napi-rs/cli";
import { PLATFORMS } from "./platforms.mjs";
import { ROOT, run } from "./run.mjs";
import { buildTypeScript } from "./typescript.mjs";

/** Beside dist/: what npm shows, and the licence. */
const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE"];
/** What only a checkout has a use for. */
const UNPUBLISHED = ["private", "scripts", "devDependencies", "overrides", "napi"];

/** package.json as it is in the checkout. */
export function readManifest() {
  return readJson(join(ROOT, "package.json"));
}

/** The name of a platform's package. */
export function packageName(platform) {
  return `@nearcache/${platform}`;
}

/** The name of a platform's addon, in a checkout and in its package. */
export function addonFile(platform) {
  return `nearcache.${platform}.node`;
}

/** package.json as it is published. `repository`: where the sources are, if that is known. */
export function publishedManifest(manifest, repository) {
  const published = Object.fromEntries(Object.entries(manifest).filter(([name]) => !UNPUBLISHED.includes(name)));
  const addons = Object.keys(PLATFORMS).map((name) => [packageName(name), manifest.version]);
  return { ...published, ...withRepository(repository), optionalDependencies: Object.fromEntries(addons) };
}

/**
 * Lays out all packages in `folder`, each in a folder of its own, and returns these: `{ root, platforms: { [name]: path } }`.
 * `addonOf` names the addon of a platform, or undefined for one that is left out.
 */
export async function layOutPackages(folder, addonOf, repository) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = readManifest();
  const root = join(folder, "nearcache");
  await buildTypeScript({ outDir: join(root, "dist"), sourcemap: false });
  writeJson(join(root, "package.json"), publishedManifest(manifest, repository));
  for (const document of DOCUMENTS) {
    copyFileSync(join(ROOT, document), join(root, document));
  }
  await new NapiCli().createNpmDirs({ cwd: ROOT, npmDir: relative(ROOT, folder) });
  return { root, platforms: Object.fromEntries(Object.keys(PLATFORMS).flatMap(layOut)) };

  function layOut(name) {
    const path = join(folder, name);
    const addon = addonOf(name);
    if (addon === undefined) {
      rmSync(path, { recursive: true });
      return [];
    }
    completePlatformPackage(path, name, addon, repository);
    return [[name, path]];
  }
}

function completePlatformPackage(path, platform, addon, repository) {
  const manifest = readJson(join(path, "package.json"));
  const description = `The native addon of nearcache for ${platform}. Install nearcache, not this.`;
  const { keywords: _, ...rest } = manifest;
  writeJson(join(path, "package.json"), {
    ...rest,
    name: packageName(platform),
    description,
    ...withRepository(repository),
    // Yarn's Plug'n'Play would keep it in an archive, which nothing can be loaded from.
    preferUnplugged: true,
  });
  writeFileSync(join(path, "README.md"), `# ${packageName(platform)}\n\n${description}\n`);
  copyFileSync(join(ROOT, "LICENSE"), join(path, "LICENSE"));
  copyFileSync(addon, join(path, addonFile(platform)));
}

/** Packs a laid-out package into `destination` and returns the path of the archive. */
export function pack(path, destination) {
  mkdirSync(destination, { recursive: true });
  const { name, version } = readJson(join(path, "package.json"));
  run("npm", ["pack", path, "--silent", "--pack-destination", destination], { shell: process.platform === "win32" });
  const archive = join(destination, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  if (!existsSync(archive)) {
    throw new Error(`npm pack did not make ${archive}`);
  }
  return archive;
}

function withRepository(repository) {
  return repository === undefined ? {} : { repository: { type: "git", url: `git+${repository}.git` } };
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
