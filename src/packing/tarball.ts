import { join } from "node:path";
import { FORM, TOP_FOLDER } from "../system/own-program.ts";
import { VERSION } from "../system/version.ts";
import { PACKAGE_CONTENTS } from "./manifest.ts";
import { type PackedFile, toTarball } from "./tar.ts";

/** The npm package of this program, as one file. */
export interface Tarball {
  /** `moorage-<version>.tgz` */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export const TARBALL_NAME: string = `moorage-${VERSION}.tgz`;
/** The package where it was made before the program started: beside a binary's code, and in the top folder of the image. */
export const READY_MADE = "package.tgz";

/** Milliseconds for which a server that runs from its sources waits for the bundler. It takes one or two seconds. */
const BUILD_TIMEOUT_MS = 60_000;

/**
 * Returns the npm package of the program that runs, the same bytes for the same version in each of its forms. It takes up to
 * two seconds, which other work does not notice. Rejects if the package cannot be made, and says why.
 */
export async function packageTarball(): Promise<Tarball> {
  return { name: TARBALL_NAME, bytes: await tarballBytes() };
}

/** Returns a function that makes the package when it is first called and keeps it. A failure is not kept. */
export function lazyTarball(make: () => Promise<Tarball> = packageTarball): () => Promise<Tarball> {
  let made: Promise<Tarball> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

async function tarballBytes(): Promise<Uint8Array> {
  if (FORM === "package") return toTarball(await installedFiles());
  const ready = Bun.file(join(FORM === "binary" ? import.meta.dir : TOP_FOLDER, READY_MADE));
  return (await ready.exists()) ? ready.bytes() : build();
}

/** Reads the files of the package that runs. npm has written them as they were packed. */
async function installedFiles(): Promise<readonly PackedFile[]> {
  const all = await Array.fromAsync(new Bun.Glob("**/*").scan({ cwd: TOP_FOLDER }));
  const tops: readonly string[] = ["package.json", ...PACKAGE_CONTENTS];
  const paths = all.filter((path) => tops.includes(path.split(/[/\\]/)[0] ?? ""));
  return Promise.all(
    paths.map(async (path) => ({
      path: path.replaceAll("\\", "/"),
      bytes: await Bun.file(join(TOP_FOLDER, path)).bytes(),
    })),
  );
}

/** Makes the package from the sources in a process of its own, which gets no secrets. */
async function build(): Promise<Uint8Array> {
  const { PATH = "", HOME = "", TMPDIR, SystemRoot } = process.env;
  const child = Bun.spawn([process.execPath, join(TOP_FOLDER, "src/packing/main.ts")], {
    cwd: TOP_FOLDER,
    env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...(SystemRoot && { SystemRoot }) },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: BUILD_TIMEOUT_MS,
  });
  const [bytes, said, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
  if (code === 0) return bytes;
  throw new Error(`the package could not be made: ${said.trim().slice(-1000) || `the bundler ended with ${code}`}`);
}
