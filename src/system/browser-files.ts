import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FORM, TOP_FOLDER } from "./own-program.ts";

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
  "marked.js": "marked",
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "favicon.png": "swagger-ui-dist/favicon-32x32.png",
} as const;
export type PackageFile = keyof typeof PACKAGE_FILES;

/**
 * The folders that hold these files in the npm package and in a binary, beside the code and under the names by which they are
 * served. No other part of the product looks for its own files at run time, apart from src/packing.
 */
export const PACKED_FOLDERS = { client: "client", vendor: "vendor" } as const;

/** The paths of all modules, styles and samples of the pages, by the names under which they are served, in order of their names. */
export function clientFiles(): ReadonlyMap<string, string> {
  const folder = FORM === "sources" ? join(TOP_FOLDER, CLIENT_FOLDER) : join(import.meta.dir, PACKED_FOLDERS.client);
  const own = readdirSync(folder).map((name) => [name, join(folder, name)] as const);
  const shared =
    FORM === "sources"
      ? Object.entries(SHARED_FILES).map(([name, path]) => [name, join(TOP_FOLDER, path)] as const)
      : [];
  return new Map([...own, ...shared].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The path of a package's file. Throws if the package is not installed. */
export function packageFile(name: PackageFile): string {
  if (FORM !== "sources") return join(import.meta.dir, PACKED_FOLDERS.vendor, name);
  return fileURLToPath(import.meta.resolve(PACKAGE_FILES[name]));
}
