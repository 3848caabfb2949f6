import { basename, join } from "node:path";
import { clientFiles, PACKAGE_FILES, PACKED_FOLDERS, type PackageFile, packageFile } from "../system/browser-files.ts";
import { BUNDLE_ENTRY, BUNDLE_FOLDER } from "../system/own-program.ts";
import { productionPackages } from "./lock.ts";
import { packageManifest } from "./manifest.ts";
import { licenseNotices } from "./notices.ts";
import type { PackedFile } from "./tar.ts";

/** Files that are in the package as they are in the sources. */
const SAME = ["bin/moorage.js", "CHANGELOG.md", "LICENSE", "README.md"];

/**
 * Makes the files of the npm package from the sources in `top`. It takes a second of both cores, so a server leaves it to a
 * process of its own. Throws with all messages of the bundler.
 */
export async function packageFiles(top: string): Promise<readonly PackedFile[]> {
  const same = SAME.map(async (path) => ({ path, bytes: await Bun.file(join(top, path)).bytes() }));
  return [
    text("package.json", `${JSON.stringify(packageManifest(), undefined, 2)}\n`),
    // Bun would otherwise read the file of the directory in which the program starts.
    text(`${BUNDLE_FOLDER}/bunfig.toml`, "# Bun reads this file instead of one in the current directory.\n"),
    text("THIRD-PARTY.txt", licenseNotices(productionPackages(await Bun.file(join(top, "bun.lock")).text()), top)),
    ...(await bundle(top)),
    ...(await browserFiles()),
    ...(await Promise.all(same)),
  ];
}

function text(path: string, content: string): PackedFile {
  return { path, bytes: new TextEncoder().encode(content) };
}

/** Bundles the whole program. Each command is split off, so that a worker does not load the server. */
async function bundle(top: string): Promise<readonly PackedFile[]> {
  const { success, logs, outputs } = await Bun.build({
    entrypoints: [join(top, "src/cli/main.ts")],
    target: "bun",
    format: "esm",
    splitting: true,
    // Names stay as they are, for the stack traces in logs.
    minify: { whitespace: true, syntax: true, identifiers: false },
    naming: { entry: basename(BUNDLE_ENTRY), chunk: "[name]-[hash].[ext]" },
    throw: false,
  });
  if (!success) throw new Error(logs.map(String).join("\n"));
  return Promise.all(
    outputs.map(async (file) => ({
      path: `${BUNDLE_FOLDER}/${basename(file.path)}`,
      bytes: new Uint8Array(await file.arrayBuffer()),
    })),
  );
}

/** The files that browsers load, where `clientFiles` and `packageFile` look for them in a package. */
async function browserFiles(): Promise<readonly PackedFile[]> {
  const client = [...clientFiles()].map(([name, path]) => [`${PACKED_FOLDERS.client}/${name}`, path] as const);
  // Object.keys gives strings; these are the keys of PACKAGE_FILES.
  const names = Object.keys(PACKAGE_FILES) as PackageFile[];
  const vendored = names.map((name) => [`${PACKED_FOLDERS.vendor}/${name}`, packageFile(name)] as const);
  return Promise.all(
    [...client, ...vendored].map(async ([path, source]) => ({
      path: `${BUNDLE_FOLDER}/${path}`,
      bytes: await Bun.file(source).bytes(),
    })),
  );
}
