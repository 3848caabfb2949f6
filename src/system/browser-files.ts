import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the product's own browser files, relative to the top folder. */
export const CLIENT_FOLDER = "views/client";

/**
 * Modules of the product that pages load as well, by the name under which they are served. They are pure, and import nothing
 * at run time.
 */
export const SHARED_FILES = { "join-lines.ts": "src/join/lines.ts" } as const;

/** Files of packages that browsers load unchanged, by the name under which they are served. */
export const PACKAGE_FILES = {
  "alpine.js": "@alpinejs/csp/dist/module.esm.min.js",
  "marked.js": "marked/lib/marked.esm.js",
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "favicon.png": "swagger-ui-dist/favicon-32x32.png",
} as const;
export type PackageFile = keyof typeof PACKAGE_FILES;

// A binary built by scripts/binaries.ts contains all of these files, next to its code and under their base names.
// No other part of the product looks for its own files at run time.

/** The paths of all modules, styles and samples of the pages, by the names under which they are served, in order of their names. */
export function clientFiles(): ReadonlyMap<string, string> {
  const folder = Bun.isStandaloneExecutable
    ? join(import.meta.dir, basename(CLIENT_FOLDER))
    : join(import.meta.dir, "../..", CLIENT_FOLDER);
  const own = readdirSync(folder).map((name) => [name, join(folder, name)] as const);
  const shared = Object.entries(SHARED_FILES).map(([name, path]) => [name, sharedFile(path)] as const);
  return new Map([...own, ...shared].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sharedFile(path: string): string {
  return Bun.isStandaloneExecutable ? join(import.meta.dir, basename(path)) : join(import.meta.dir, "../..", path);
}

/** The path of a package's file. Throws if the package is not installed. */
export function packageFile(name: PackageFile): string {
  const file = PACKAGE_FILES[name];
  if (Bun.isStandaloneExecutable) return join(import.meta.dir, basename(file));
  return fileURLToPath(import.meta.resolve(file));
}
