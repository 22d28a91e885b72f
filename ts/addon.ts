/**
 * Finds and loads the addon: in a checkout the one that was built there, everywhere else the one in the package of this
 * platform (`@nearcache/linux-x64-gnu` and its like), which npm installs beside this package. Nothing is downloaded, built
 * or tried out; whatever is wrong ends in one {@link NativeAddonError} that says what to do.
 *
 * docs/decisions/0011-addon-loader.md says why this isn't generated.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { NativeAddonError, type NativeAddonReason } from "./errors.js";
import type { NativeModule } from "./native.js";
import { PLATFORMS, platformName } from "./platform.js";
import { VERSION } from "./version.js";

/** The version of the interface in native.ts; an addon of another version is refused. */
const ABI_VERSION = 5;

/** Where the addon is looked for. */
export interface AddonPlace {
  /** As {@link platformName} says it. */
  readonly platform: string;
  /** In a checkout: the file that is built there. */
  readonly builtFile: string | undefined;
  /** Loads a module, by path or package name. */
  load(specifier: string): unknown;
  /** Whether a package is installed where `load` would find it. */
  isInstalled(packageName: string): boolean;
}

let loaded: NativeModule | undefined;

/** The addon, loaded at the first call. Throws {@link NativeAddonError} when there is none that works here. */
export function loadNative(): NativeModule {
  loaded ??= findAddon(thisPlace());
  return loaded;
}

function thisPlace(): AddonPlace {
  const require = createRequire(import.meta.url);
  const platform = platformName();
  // This file is in ts/, or bundled into dist/. No `new URL(…, import.meta.url)`: bundlers take that for a file to bundle.
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  const isCheckout = existsSync(join(root, "crates/node/Cargo.toml"));
  return {
    platform,
    builtFile: isCheckout ? join(root, `nearcache.${platform}.node`) : undefined,
    load: require,
    isInstalled: (packageName) => {
      try {
        require.resolve(packageName);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** The addon for a place. Throws {@link NativeAddonError}. */
export function findAddon(place: AddonPlace): NativeModule {
  const { platform, builtFile } = place;
  if (builtFile !== undefined) {
    return checkVersion(loadBuilt(place, builtFile), builtFile, platform, 'Run "npm run build".');
  }
  if (!PLATFORMS.includes(platform)) {
    const message = `nearcache has no addon for ${platform}; there are some for ${PLATFORMS.join(", ")}.`;
    throw failure("unsupported-platform", platform, message);
  }
  const packageName = `@nearcache/${platform}`;
  return checkVersion(loadPackage(place, packageName), packageName, platform, `Mend it: ${reinstall(platform)}`);
}

function loadBuilt({ platform, load }: AddonPlace, file: string): unknown {
  try {
    return load(file);
  } catch (error) {
    if (isNotFound(error)) {
      const message = `This checkout of nearcache has no addon for ${platform} yet (${file}). Run "npm run build".`;
      throw failure("missing-package", platform, message, error);
    }
    const message = `The addon that was built here (${file}) can't be loaded: ${hintOf(error)}. Run "npm run build".`;
    throw failure("not-loadable", platform, message, error);
  }
}

function loadPackage(place: AddonPlace, packageName: string): unknown {
  const { platform, load } = place;
  try {
    return load(packageName);
  } catch (error) {
    if (isNotFound(error)) {
      throw failure(...missing(place, packageName), error);
    }
    const message = `${packageName} is installed, but its addon can't be loaded: ${hintOf(error)}.`;
    throw failure("not-loadable", platform, `${message} Should it be damaged: ${reinstall(platform)}`, error);
  }
}

/** The package is not there: what is there instead tells why. */
function missing({ platform, isInstalled }: AddonPlace, packageName: string): [NativeAddonReason, string, string] {
  const others = PLATFORMS.map((other) => `@nearcache/${other}`).filter(isInstalled);
  if (others.length > 0) {
    const message =
      `nearcache runs on ${platform} here, but was installed for another platform: ${others.join(", ")} is there, ` +
      `${packageName} is not. Install where it runs, instead of copying node_modules: ${reinstall(platform)}`;
    return ["other-platform", platform, message];
  }
  const message =
    `nearcache needs the package ${packageName} on ${platform}, and it is not installed. Usually npm has left it out ` +
    "because package-lock.json was made on another platform (https://github.com/npm/cli/issues/4828); --omit=optional " +
    `leaves it out, too. Mend it: ${reinstall(platform)}`;
  return ["missing-package", platform, message];
}

function checkVersion(module: unknown, from: string, platform: string, remedy: string): NativeModule {
  const addon = module as NativeModule;
  if (addon.abiVersion === ABI_VERSION && addon.version === VERSION) {
    return addon;
  }
  const found = addon.version === VERSION ? `${VERSION} with another interface` : (addon.version ?? "an older version");
  throw failure("other-version", platform, `The addon ${from} is ${found}, but nearcache is ${VERSION}. ${remedy}`);
}

function failure(reason: NativeAddonReason, platform: string, message: string, cause?: unknown): NativeAddonError {
  return new NativeAddonError("ERR_NATIVE_ADDON", message, { reason, platform, cause });
}

/** The command that npm/cli#4828 takes: both must go, or npm keeps what it decided before. */
function reinstall(platform: string): string {
  return platform.startsWith("win32")
    ? "Remove-Item -Recurse -Force node_modules, package-lock.json; npm install"
    : "rm -rf node_modules package-lock.json && npm install";
}

function isNotFound(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "MODULE_NOT_FOUND";
}

/** What the system's loader said, with what it means where that can be told. */
function hintOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const said = String(message ?? error).split("\n", 1)[0] ?? "";
  if (code === "ERR_DLOPEN_DISABLED") {
    return `this process may not load addons; start Node with --allow-addons (${said})`;
  }
  if (/GLIBC_|GLIBCXX_/.test(said)) {
    return `it needs glibc 2.17 or newer (${said})`;
  }
  if (/musl|libc\.so: invalid ELF|ld-linux/.test(said)) {
    return `it was built for another C library than this Node's (${said})`;
  }
  return said;
}
