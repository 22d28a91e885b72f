// Finding the addon: the one of this platform, and where there is none one error that says why and what to do.
import { describe, expect, test } from "vitest";
import { type AddonPlace, findAddon } from "../ts/addon.js";
import { NativeAddonError } from "../ts/errors.js";
import { PLATFORMS } from "../ts/platform.js";
import { VERSION } from "../ts/version.js";
import { thrownBy } from "./support/caches.js";
import { addon } from "./support/native.js";

/** Packages by name, and what comes of loading them: the module, or an error. */
function placeWith(packages: Record<string, unknown>, place: Partial<AddonPlace> = {}): AddonPlace {
  return {
    platform: "linux-x64-gnu",
    builtFile: undefined,
    isInstalled: (name) => Object.hasOwn(packages, name),
    load: (name) => {
      if (!Object.hasOwn(packages, name)) {
        throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
      }
      if (packages[name] instanceof Error) throw packages[name];
      return packages[name];
    },
    ...place,
  };
}

/** The error that finding the addon ends in. */
function refusal(packages: Record<string, unknown>, place: Partial<AddonPlace> = {}): NativeAddonError {
  const error = thrownBy(() => findAddon(placeWith(packages, place)));
  expect(error).toBeInstanceOf(NativeAddonError);
  return error as unknown as NativeAddonError;
}

const dlopenError = (message: string): Error => Object.assign(new Error(message), { code: "ERR_DLOPEN_FAILED" });
const REINSTALL = "rm -rf node_modules package-lock.json && npm install";

describe("the addon", () => {
  test.each(PLATFORMS.map((platform) => [platform]))("of %s is that of its package", (platform) => {
    const module = { ...addon, platform };
    const place = placeWith({ [`@nearcache/${platform}`]: module }, { platform });
    expect(findAddon(place)).toBe(module);
  });

  test("is never another package's, be it installed or not", () => {
    const everything = Object.fromEntries(PLATFORMS.map((name) => [`@nearcache/${name}`, { ...addon, name }]));
    expect(findAddon(placeWith(everything, { platform: "linux-arm64-musl" }))).toMatchObject({
      name: "linux-arm64-musl",
    });
  });

  test("is in a checkout the one that was built there, and nothing else", () => {
    const built = { ...addon };
    const place = { builtFile: "/checkout/nearcache.linux-x64-gnu.node" };
    expect(findAddon(placeWith({ [place.builtFile]: built, "@nearcache/linux-x64-gnu": addon }, place))).toBe(built);
    expect(refusal({ "@nearcache/linux-x64-gnu": addon }, place)).toMatchObject({ reason: "missing-package" });
    expect(refusal({}, place).message).toContain('Run "npm run build"');
  });

  test("is built for this version of the package", () => {
    expect([addon.version, addon.abiVersion]).toEqual([VERSION, expect.any(Number)]);
  });
});

describe("a platform without an addon", () => {
  test.each(["freebsd-x64", "linux-ia32-gnu", "linux-riscv64-musl", "win32-ia32-msvc", "aix-ppc64"])(
    "%s",
    (platform) => {
      const error = refusal({}, { platform });
      expect(error).toMatchObject({ code: "ERR_NATIVE_ADDON", reason: "unsupported-platform", platform });
      expect(error.message).toContain(`no addon for ${platform}; there are some for darwin-arm64, `);
    },
  );
});

describe("a platform package that is missing", () => {
  test("is named, with the bug of npm that leaves it out and the command that mends it", () => {
    const error = refusal({});
    expect(error).toMatchObject({ reason: "missing-package", platform: "linux-x64-gnu" });
    expect(error.message).toContain("@nearcache/linux-x64-gnu on linux-x64-gnu");
    expect(error.message).toContain("https://github.com/npm/cli/issues/4828");
    expect(error.message).toContain("--omit=optional");
    expect(error.message.endsWith(REINSTALL)).toBe(true);
    expect(error.cause).toMatchObject({ code: "MODULE_NOT_FOUND" });
  });

  test("has a command that PowerShell knows on Windows", () => {
    const error = refusal({}, { platform: "win32-x64-msvc" });
    expect(error.message.endsWith("Remove-Item -Recurse -Force node_modules, package-lock.json; npm install")).toBe(
      true,
    );
  });

  test("while that of another C library is there: it was installed elsewhere", () => {
    const error = refusal({ "@nearcache/linux-x64-musl": dlopenError("never loaded") });
    expect(error).toMatchObject({ reason: "other-platform", platform: "linux-x64-gnu" });
    expect(error.message).toContain("@nearcache/linux-x64-musl is there, @nearcache/linux-x64-gnu is not");
  });
});

describe("an addon that can't be used", () => {
  const at = (error: Error): NativeAddonError => refusal({ "@nearcache/linux-x64-gnu": error });

  test.each([
    [
      "for musl, under glibc",
      "libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory",
      "another C library",
    ],
    ["for a newer glibc", "/lib/libc.so.6: version `GLIBC_2.34' not found (required by x.node)", "glibc 2.17 or newer"],
    ["cut off", "x.node: file too short", "x.node: file too short"],
  ])("%s", (_, said, meaning) => {
    const error = at(dlopenError(`${said}\nRequire stack:\n- /app/node_modules/nearcache/dist/index.cjs`));
    expect(error).toMatchObject({ reason: "not-loadable", platform: "linux-x64-gnu" });
    expect(error.message).toContain(meaning);
    expect(error.message).toContain(said);
    expect(error.message).toContain(REINSTALL);
    expect(error.message).not.toContain("Require stack");
    expect(error.cause).toMatchObject({ code: "ERR_DLOPEN_FAILED" });
  });

  test("because the process may load none", () => {
    const disabled = new Error("Cannot load native addon because loading addons is disabled.");
    const error = at(Object.assign(disabled, { code: "ERR_DLOPEN_DISABLED" }));
    expect(error.message).toContain("--allow-addons");
  });
});

describe("an addon of another version", () => {
  test.each([
    ["older", { version: "0.0.9" }, "is 0.0.9, but nearcache is"],
    ["newer", { version: "9.0.0" }, "is 9.0.0, but nearcache is"],
    ["before addons had versions", { version: undefined, abiVersion: 4 }, "is an older version, but"],
    ["the same, built from other sources", { abiVersion: 99 }, "with another interface"],
  ])("%s is refused", (_, other, message) => {
    const error = refusal({ "@nearcache/linux-x64-gnu": { ...addon, ...other } });
    expect(error).toMatchObject({ reason: "other-version", platform: "linux-x64-gnu" });
    expect(error.message).toContain(message);
    expect(error.message).toContain(REINSTALL);
  });
});
