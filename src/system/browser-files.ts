import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the product's own files for browsers are, seen from the top folder. */
export const CLIENT_FOLDER = "views/client";

/** Files of packages that browsers load as they are, by the name that they are served under. */
export const PACKAGE_FILES = {
  "alpine.js": "@alpinejs/csp/dist/module.esm.min.js",
  "uplot.js": "uplot/dist/uPlot.esm.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "favicon.png": "swagger-ui-dist/favicon-32x32.png",
} as const;
export type PackageFile = keyof typeof PACKAGE_FILES;

// A binary made by scripts/binaries.ts carries all of them inside itself, beside its code and under their last names.
// Nothing else of the product looks for a file of its own at run time.

/** Paths of everything in the folder, by file name and in its order. */
export function clientFiles(): ReadonlyMap<string, string> {
  const folder = Bun.isStandaloneExecutable
    ? join(import.meta.dir, basename(CLIENT_FOLDER))
    : join(import.meta.dir, "../..", CLIENT_FOLDER);
  const names = readdirSync(folder).sort();
  return new Map(names.map((name) => [name, join(folder, name)]));
}

/** The path of one of them. Throws where its package is not installed. */
export function packageFile(name: PackageFile): string {
  const file = PACKAGE_FILES[name];
  if (Bun.isStandaloneExecutable) return join(import.meta.dir, basename(file));
  return fileURLToPath(import.meta.resolve(file));
}
