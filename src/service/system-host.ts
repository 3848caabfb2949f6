import { existsSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { basename } from "node:path";
import { packageTarball } from "../packing/tarball.ts";
import { launcherWords } from "../system/launcher.ts";
import { FORM } from "../system/own-program.ts";
import { VERSION } from "../system/version.ts";
import { ProgramFault, placeProgram, programWords } from "./program-files.ts";
import type { Ran, ServiceHost } from "./service-host.ts";

/** Returns this machine, and the terminal that this process has. */
export function systemHost(env: Readonly<Record<string, string | undefined>>): ServiceHost {
  const { username } = userInfo();
  return {
    machine: {
      platform: process.platform,
      env,
      home: homedir(),
      user: username,
      uid: process.getuid?.(),
    },
    hostname: hostname(),
    directory: process.cwd(),
    version: VERSION,
    launcher: launcherWords(env),
    // What `sd_booted` looks at.
    isManaged: () => process.platform !== "linux" || existsSync("/run/systemd/system"),
    run: (words) => runProgram(words, env),
    pause: (ms) => Bun.sleep(ms),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    program:
      FORM === "binary"
        ? // It is where its owner has put it, and needs nothing beside it.
          { words: () => binaryWords(process.execPath), place: async () => {} }
        : { words: (directory) => [...programWords(directory, Bun.version), "worker"], place },
  };
}

/** A binary that is called as the one of workers was until version 0.1 takes the words of a worker alone. */
function binaryWords(path: string): readonly [string, ...string[]] {
  return /^moorage-worker\b/.test(basename(path)) ? [path] : [path, "worker"];
}

async function place(directory: string): Promise<void> {
  const { bytes: tarball } = await packageTarball().catch((error: unknown) => {
    throw new ProgramFault(`The service has no program: ${error instanceof Error ? error.message : String(error)}.`);
  });
  await placeProgram(directory, { version: VERSION, tarball }, { path: process.execPath, version: Bun.version });
}

/** The longest time that a command may take: one that stops a worker waits until its jobs are done. */
const COMMAND_MS = 10 * 60_000;

/** Runs a program until it ends. */
export async function runProgram(
  words: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Ran> {
  try {
    const child = Bun.spawn([...words], { env: { ...env }, stdio: ["ignore", "pipe", "pipe"], timeout: COMMAND_MS });
    const [said, complained, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { code, text: said + complained };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { code: 127, text: `there is no program ${words[0]}` };
    throw error;
  }
}
