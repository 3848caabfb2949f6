import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFiles } from "../../src/packing/bundle.ts";
import { type PackedFile, toTarball } from "../../src/packing/tar.ts";
import { READY_MADE } from "../../src/packing/tarball.ts";
import { PACKED_FOLDERS } from "../../src/system/browser-files.ts";
import { BUNDLE_FOLDER, TOP_FOLDER } from "../../src/system/own-program.ts";

export const TARGETS = [
  "linux-x64",
  "linux-arm64",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
  "windows-arm64",
] as const;
export type Target = (typeof TARGETS)[number];

export interface Binary {
  readonly path: string;
  readonly bytes: number;
}

/** The target of this machine, or undefined if there is none. */
export function hostTarget(): Target | undefined {
  const system = process.platform === "win32" ? "windows" : process.platform;
  return TARGETS.find((target) => target === `${system}-${process.arch}`);
}

/** What a binary contains beside its code: the files for browsers, and the npm package, which a server hands to workers. */
export interface BinaryAssets {
  readonly paths: readonly string[];
  remove(): void;
}

/** Writes the assets to a temporary folder, for all targets. */
export async function makeAssets(): Promise<BinaryAssets> {
  const folder = mkdtempSync(join(tmpdir(), "moorage-assets-"));
  const files = await packageFiles(TOP_FOLDER);
  for (const { path, bytes } of files.filter(isForBrowsers)) await Bun.write(join(folder, besideCode(path)), bytes);
  await Bun.write(join(folder, READY_MADE), await toTarball(files));
  return {
    paths: [...Object.values(PACKED_FOLDERS), READY_MADE].map((name) => join(folder, name)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function isForBrowsers({ path }: PackedFile): boolean {
  return Object.values(PACKED_FOLDERS).some((folder) => path.startsWith(`${BUNDLE_FOLDER}/${folder}/`));
}

function besideCode(path: string): string {
  return path.slice(BUNDLE_FOLDER.length + 1);
}

/**
 * Compiles the program for one target into `directory`. For a target other than this machine's, Bun downloads a build of its
 * own version from the npm registry and keeps it in its cache. Throws with all of Bun's messages.
 */
export async function buildBinary(target: Target, directory: string, assets: BinaryAssets): Promise<Binary> {
  const path = join(directory, `moorage-${target}${target.startsWith("windows") ? ".exe" : ""}`);
  const { success, logs } = await Bun.build({
    entrypoints: [join(TOP_FOLDER, "src/cli/main.ts")],
    target: "bun",
    throw: false,
    // Bytecode halves the start-up time and costs 5 MB. The map makes stack traces in logs name the sources.
    format: "esm",
    bytecode: true,
    sourcemap: "linked",
    compile: {
      ...(target === hostTarget() ? {} : { target: `bun-${target}` }),
      outfile: path,
      assets: [...assets.paths],
      // Settings must come from the command line and the environment, never from files in the current directory.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
  });
  // The binary contains the map as well.
  rmSync(path.replace(/(\.exe)?$/, ".map"), { force: true });
  if (!success) throw new Error(logs.map(String).join("\n"));
  return { path, bytes: statSync(path).size };
}
