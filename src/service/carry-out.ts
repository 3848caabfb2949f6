import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { ServiceHost } from "./service-host.ts";
import type { Command, PlannedFile } from "./service-spec.ts";
import { commandLine } from "./show.ts";

/** A step of installing or removing a service has failed. The message says which, and what to do. */
export class ServiceFault extends Error {
  override readonly name = "ServiceFault";
}

/** Writes a file as a whole. A private one is readable by its owner only, also while it is written. */
export function writePlanned({ path, text, access, encoding }: PlannedFile): void {
  const mode = access === "private" ? 0o600 : 0o644;
  const temporary = `${path}.${process.pid}.tmp`;
  doing(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: access === "private" ? 0o700 : 0o755 });
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", mode);
    try {
      writeSync(file, encoding === undefined ? Buffer.from(text) : Buffer.from(`\ufeff${text}`, encoding));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  });
}

export function makeDirectory(path: string): void {
  doing(path, () => mkdirSync(path, { recursive: true, mode: 0o755 }));
}

export function remove(path: string): void {
  doing(path, () => rmSync(path, { recursive: true, force: true }));
}

function doing(path: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new ServiceFault(`${path} cannot be written or removed (${code}).`);
  }
}

/** How long it is waited before a command is tried again. */
const RETRY_MS = 1000;

/** Runs commands one after the other, and shows each. Throws a `ServiceFault` if one fails that must not. */
export async function runCommands(commands: readonly Command[], host: ServiceHost): Promise<void> {
  for (const { words, mayFail = false, retryS = 0 } of commands) {
    host.out(`  ${commandLine(words)}\n`);
    let ran = await host.run(words);
    for (let waitedMs = 0; ran.code !== 0 && waitedMs < retryS * 1000; waitedMs += RETRY_MS) {
      await host.pause(RETRY_MS);
      ran = await host.run(words);
    }
    if (ran.code === 0 || mayFail) continue;
    const said = ran.text.trim().slice(-2000);
    throw new ServiceFault(`${commandLine(words)} ended with ${ran.code}${said === "" ? "." : `:\n${said}`}`);
  }
}
