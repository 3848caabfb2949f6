import sources from "../../package.json" with { type: "json" };
import { BUN_VERSION } from "../system/launcher.ts";
import { BUNDLE_FOLDER } from "../system/own-program.ts";

/** The packages that contain Bun, one for each system. npm installs the one that fits, and runs no script of it. */
const BUNS = [
  "bun-darwin-aarch64",
  "bun-darwin-x64",
  "bun-linux-aarch64",
  "bun-linux-aarch64-musl",
  "bun-linux-x64",
  "bun-linux-x64-musl",
  "bun-windows-aarch64",
  "bun-windows-x64",
] as const;

/** The folders and files of the package, apart from its package.json. */
export const PACKAGE_CONTENTS = [
  "bin",
  BUNDLE_FOLDER,
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "THIRD-PARTY.txt",
] as const;

/**
 * Returns the package.json of the npm package. The sources have their own, with the packages that are bundled here, so that
 * Bun is all that npm installs with this one.
 */
export function packageManifest(): object {
  const { name, version, description, license, type, engines } = sources;
  return {
    name,
    version,
    description,
    license,
    type,
    bin: { [name]: "bin/moorage.js" },
    files: PACKAGE_CONTENTS,
    engines: { node: ">=18", bun: engines.bun },
    optionalDependencies: Object.fromEntries(BUNS.map((bun) => [`@oven/${bun}`, BUN_VERSION])),
  };
}
