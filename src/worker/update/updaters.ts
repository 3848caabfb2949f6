import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProxyChoice } from "../outgoing-proxy.ts";
import { assertHandedOut, fetchPackage } from "./fetch-package.ts";
import { isVersion, type LastUpdate, packageUrl } from "./update-plan.ts";
import type { Updater } from "./version-watch.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The exit code after which a service's manager starts the new version: `EX_TEMPFAIL` of sysexits.h. */
export const EXIT_UPDATED = 75;

/** Says to the next process which version it should be, so that it does not try again: `0.2.0@1700000000000`. */
const UPDATED = "MOORAGE_UPDATED";
/** How long npx may take to fetch the package and its Bun. */
const FETCH_TIMEOUT_MS = 10 * 60_000;

export interface UpdaterOptions {
  readonly server: string;
  readonly proxyFor: ProxyChoice;
  readonly env: Environment;
  readonly now: () => number;
}

/** Updates a worker that was started by hand: npx or bunx runs the server's package in its place, with the same words. */
export function updaterByCommand(options: UpdaterOptions & { readonly argv: readonly string[] }): Updater {
  const { server, proxyFor, env, now, argv } = options;
  return {
    last: () => readMark(env[UPDATED]),
    async prepare(version) {
      await assertHandedOut(server, version, proxyFor);
      const words = commandFor(packageUrl(server, version), env);
      if (words === undefined)
        throw new Error("there is no npx or bunx on this machine to run the server's version with");
      const [program, ...more] = words;
      const clean = { ...withoutNpm(env), [UPDATED]: `${version}@${now()}` };
      await assertStarts(program, [...more, "--version"], clean, version);
      return () => become(program, [...more, "worker", ...argv], clean);
    },
  };
}

/** Updates a worker that is a service: its program is replaced, and its manager starts it again. */
export function updaterOfService(
  options: UpdaterOptions & {
    readonly directory: string;
    readonly switchProgram: (directory: string, program: { version: string; tarball: Uint8Array }) => Promise<void>;
    readonly exit: (code: number) => void;
  },
): Updater {
  const { server, proxyFor, now, directory, switchProgram, exit } = options;
  const mark = join(directory, "updated");
  return {
    last() {
      try {
        return readMark(readFileSync(mark, "utf8"));
      } catch {
        return undefined;
      }
    },
    async prepare(version) {
      const tarball = await fetchPackage(server, version, proxyFor);
      writeFileSync(mark, `${version}@${now()}\n`);
      await switchProgram(directory, { version, tarball });
      return () => exit(EXIT_UPDATED);
    },
  };
}

function readMark(text: string | undefined): LastUpdate | undefined {
  const [, version = "", at] = /^(\S{1,64})@(\d{1,15})\s*$/.exec(text ?? "") ?? [];
  return isVersion(version) ? { version, at: Number(at) } : undefined;
}

/** Returns the words that run a package, with what brought this program where that can be told. */
function commandFor(url: string, env: Environment): readonly [string, ...string[]] | undefined {
  const { PATH } = env;
  const which = (name: string): string | null => Bun.which(name, PATH === undefined ? {} : { PATH });
  const npx = which("npx");
  const bunx = which("bunx");
  const byBun: readonly [string, ...string[]] | undefined =
    bunx === null ? undefined : [bunx, "--bun", "-p", url, "moorage"];
  const byNpm: readonly [string, ...string[]] | undefined = npx === null ? undefined : [npx, "-y", url];
  return env["MOORAGE_LAUNCHED_AS"]?.startsWith("bunx") ? (byBun ?? byNpm) : (byNpm ?? byBun);
}

/** Leaves out what npx and bunx have told this process about itself, which would be wrong for the next one. */
function withoutNpm(env: Environment): Environment {
  const own =
    /^(?:npm_(?:lifecycle|package|command|execpath|node_execpath)|npm_config_(?:local_prefix|global_prefix|user_agent|package|call)$|INIT_CWD$|MOORAGE_LAUNCHED_AS$)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)));
}

/** Fetches the package by running it, so that the worker is not stopped for one that does not start. */
async function assertStarts(
  program: string,
  args: readonly string[],
  env: Environment,
  version: string,
): Promise<void> {
  const child = Bun.spawn([program, ...args], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: FETCH_TIMEOUT_MS,
  });
  const [said, complaint, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code === 0 && said.includes(version)) return;
  const reason = complaint.trim().split("\n").at(-1)?.slice(0, 200);
  throw new Error(`version ${version} does not start here (exit code ${code})${reason ? `: ${reason}` : ""}`);
}

/** Lets a program take the place of this process, or, where a system has no such thing, runs it and ends as it does. */
function become(program: string, args: readonly string[], env: Environment): void {
  const given = Object.fromEntries(
    Object.entries(env).filter((each): each is [string, string] => each[1] !== undefined),
  );
  if (process.platform !== "win32" && typeof process.execve === "function") {
    try {
      return process.execve(program, [program, ...args], given);
    } catch {
      // The program is run beside this one instead.
    }
  }
  const child = spawn(program, [...args], { stdio: "inherit", env: given, shell: process.platform === "win32" });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.removeAllListeners(signal);
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", () => process.exit(1));
  child.on("exit", (code) => process.exit(code ?? 1));
}
