import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { parseJson } from "../json/parse.ts";

/** The variable by which a worker knows that it is a service, whose program `switchProgram` can replace. Its value is the directory. */
export const SERVICE_DIR = "MOORAGE_SERVICE_DIR";

/** A version of this program as an npm package. */
export interface ProgramPackage {
  readonly version: string;
  readonly tarball: Uint8Array;
}

/** The program of a service cannot be put in its place. The message says what to do. */
export class ProgramFault extends Error {
  override readonly name = "ProgramFault";
}

/** The file that starts the version in use. Its name stays, so that no service has to be written again for a version. */
const STARTER = "current.js";
const BUNFIG = "bunfig.toml";
/** The most files of a package, and bytes in them. It has some hundred files of a few MiB. */
const MAX_FILES = 5000;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Puts the program of a service and the Bun that runs it into a directory of their own, so that it needs neither the clone nor
 * the cache of npx from which it was installed. Returns the words that start it. Throws a `ProgramFault`.
 */
export async function placeProgram(
  directory: string,
  program: ProgramPackage,
  bun: { readonly path: string; readonly version: string },
): Promise<readonly [string, ...string[]]> {
  const words = programWords(directory, bun.version);
  const [own] = words;
  mkdirSync(directory, { recursive: true });
  // A Bun that runs cannot be written, so each version has a name of its own.
  if (!existsSync(own) || statSync(own).size !== statSync(bun.path).size) {
    const temporary = `${own}.${process.pid}.tmp`;
    copyFileSync(bun.path, temporary);
    chmodSync(temporary, 0o755);
    renameSync(temporary, own);
  }
  await switchProgram(directory, program, bun.version);
  return words;
}

/** Returns the words that start the program in a directory. */
export function programWords(directory: string, bunVersion: string): readonly [string, ...string[]] {
  const bun = join(directory, `bun-${bunVersion}${process.platform === "win32" ? ".exe" : ""}`);
  // Settings never come from files in the current directory, and no package is installed at run time.
  const flags = ["--no-env-file", "--no-install", `--config=${join(directory, BUNFIG)}`];
  return [bun, ...flags, join(directory, STARTER)];
}

/**
 * Unpacks a version of the program beside the one in use, and makes it the one that the service starts next. The version before
 * it stays; older ones are removed. Throws a `ProgramFault`, after which the service starts what it started before.
 */
export async function switchProgram(
  directory: string,
  { version, tarball }: ProgramPackage,
  bunVersion: string = Bun.version,
): Promise<void> {
  if (!/^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/.test(version)) throw new ProgramFault("the package has no usable version");
  const files = await unpack(tarball);
  const needed = neededBun(await files.get("package.json")?.text());
  if (needed !== undefined && Bun.semver.order(bunVersion, needed) < 0)
    throw new ProgramFault(
      `version ${version} needs Bun ${needed}, and this service has ${bunVersion}: install the service again, with that version's command`,
    );
  try {
    await put(directory, version, files);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new ProgramFault(
      `the program in ${directory} cannot be replaced (${reason}): install the service again, as the user that did it`,
    );
  }
}

async function put(directory: string, version: string, files: ReadonlyMap<string, Blob>): Promise<void> {
  const temporary = join(directory, `.${version}.${process.pid}.tmp`);
  rmSync(temporary, { recursive: true, force: true });
  for (const [path, content] of files) {
    const target = join(temporary, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, await content.bytes());
  }
  const current = currentVersion(directory);
  const place = join(directory, version);
  rmSync(place, { recursive: true, force: true });
  renameSync(temporary, place);
  writeFileSync(join(directory, BUNFIG), "# Bun reads this file instead of one in the current directory.\n");
  const starter = join(directory, `${STARTER}.tmp`);
  writeFileSync(starter, starterText(version));
  renameSync(starter, join(directory, STARTER));
  // The same version again leaves the one before it.
  if (current === version) return;
  for (const each of versionsIn(directory))
    if (each !== version && each !== current) rmSync(join(directory, each), { recursive: true, force: true });
}

/** Returns the version in use; undefined before the first one. */
function currentVersion(directory: string): string | undefined {
  try {
    return /"\.\/([^"/]+)\/lib\/moorage\.js"/.exec(readFileSync(join(directory, STARTER), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

function versionsIn(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => /^\d/.test(name) && existsSync(join(directory, name, "lib")));
}

function starterText(version: string): string {
  return `// Starts the version of Moorage in use. Written by \`moorage worker install\`, and again when the worker updates itself.
process.env.${SERVICE_DIR} ??= import.meta.dir;
process.env.MOORAGE_LAUNCHED_AS ??= "moorage";
await import(${JSON.stringify(`./${version}/lib/moorage.js`)});
`;
}

/** Returns the files of a package by their paths in it. */
async function unpack(tarball: Uint8Array): Promise<ReadonlyMap<string, Blob>> {
  let packed: ReadonlyMap<string, Blob>;
  try {
    packed = await new Bun.Archive(tarball).files();
  } catch {
    throw new ProgramFault("the package is not an archive");
  }
  const files = new Map<string, Blob>();
  let bytes = 0;
  for (const [path, content] of packed) {
    const parts = path.split("/");
    if (parts[0] !== "package" || parts.some((part) => part === "" || part === ".." || /[\\:\0]/.test(part)))
      throw new ProgramFault("the package has a file outside of itself");
    bytes += content.size;
    files.set(parts.slice(1).join("/"), content);
  }
  if (files.size > MAX_FILES || bytes > MAX_BYTES) throw new ProgramFault("the package is too large");
  if (!files.has("lib/moorage.js")) throw new ProgramFault("the package has no program in it");
  return files;
}

const manifestSchema = v.object({ engines: v.object({ bun: v.string() }) });

/** Returns the version of Bun that a package.json asks for at least. */
function neededBun(manifest: string | undefined): string | undefined {
  const read = v.safeParse(manifestSchema, parseJson(manifest ?? ""));
  return read.success ? read.output.engines.bun.replace(/^\D+/, "") : undefined;
}
