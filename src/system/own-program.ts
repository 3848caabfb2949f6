import { dirname, join } from "node:path";

/** How this code came here: as its sources, as the bundle of the package, or in a binary. */
export type Form = "sources" | "package" | "binary";

/** In the package, all modules are bundled into files beside each other. */
export const FORM: Form = Bun.isStandaloneExecutable
  ? "binary"
  : import.meta.file.endsWith(".ts")
    ? "sources"
    : "package";

/** The top folder of the sources or of the package. A binary has none. */
export const TOP_FOLDER: string = FORM === "sources" ? join(import.meta.dir, "../..") : dirname(import.meta.dir);

/** The folder of the bundle in the package. */
export const BUNDLE_FOLDER = "lib";
/** The program in the package, for Bun. */
export const BUNDLE_ENTRY: string = `${BUNDLE_FOLDER}/moorage.js`;

/**
 * What Bun gets before the program of a package. Settings come from the command line and the environment, never from files in
 * the current directory, and no package is installed at run time. bin/moorage.js says the same.
 */
export function bundleFlags(top: string): readonly string[] {
  return ["--no-env-file", "--no-install", `--config=${join(top, BUNDLE_FOLDER, "bunfig.toml")}`];
}

/** A command that starts this program anew. A command of `moorage` and its flags follow the words. */
export interface OwnCommand {
  readonly words: readonly [program: string, ...others: string[]];
  /** The directory in which it must start; undefined for any. */
  readonly cwd: string | undefined;
}

/** Returns the command that starts this very program in another process, whatever its form. */
export function ownCommand(): OwnCommand {
  const { execPath } = process;
  switch (FORM) {
    case "binary":
      return { words: [execPath], cwd: undefined };
    case "package":
      return { words: [execPath, ...bundleFlags(TOP_FOLDER), join(TOP_FOLDER, BUNDLE_ENTRY)], cwd: undefined };
    case "sources":
      // Bun reads tsconfig.json, which says how JSX is compiled, from the directory in which it starts.
      return { words: [execPath, join(TOP_FOLDER, "src/cli/main.ts")], cwd: TOP_FOLDER };
    default:
      return FORM satisfies never;
  }
}
