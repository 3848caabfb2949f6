import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIENT_FOLDER, PACKAGE_FILES, SHARED_FILES } from "../../src/system/browser-files.ts";

/** The programs, by the name of their binaries. */
export const PROGRAMS = {
  "moorage-server": { entry: "src/main.ts", servesBrowsers: true },
  "moorage-worker": { entry: "src/worker/main.ts", servesBrowsers: false },
} as const;
export type Program = keyof typeof PROGRAMS;

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

const ROOT = join(import.meta.dir, "../..");

/**
 * Compiles one program for one target into `directory`. For a target other than this machine's, Bun downloads a build of its
 * own version from the npm registry and keeps it in its cache. Throws with all of Bun's messages.
 */
export async function buildBinary(program: Program, target: Target, directory: string): Promise<Binary> {
  const { entry, servesBrowsers } = PROGRAMS[program];
  const path = join(directory, `${program}-${target}${target.startsWith("windows") ? ".exe" : ""}`);
  const packages = Object.values(PACKAGE_FILES).map((file) => fileURLToPath(import.meta.resolve(file)));
  const shared = Object.values(SHARED_FILES).map((file) => join(ROOT, file));
  const { success, logs } = await Bun.build({
    entrypoints: [join(ROOT, entry)],
    target: "bun",
    throw: false,
    // Bytecode halves the start-up time and costs 5 MB. The map makes stack traces in logs name the sources.
    format: "esm",
    bytecode: true,
    sourcemap: "linked",
    compile: {
      ...(target === hostTarget() ? {} : { target: `bun-${target}` }),
      outfile: path,
      assets: servesBrowsers ? [join(ROOT, CLIENT_FOLDER), ...shared, ...packages] : [],
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
