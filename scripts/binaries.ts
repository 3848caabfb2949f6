import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { ownCommand } from "../src/system/own-program.ts";
import {
  type BinaryAssets,
  buildBinary,
  hostTarget,
  makeAssets,
  TARGETS,
  type Target,
} from "./binaries/build-binary.ts";
import { measureStartUp, type Started } from "./binaries/start-up.ts";

// `bun run binaries [target …] [--out folder]` builds Moorage as a program that needs neither Bun nor packages.
// Without a target it builds all of them; `host` is this machine's. It prints a table, builds as many targets as it can,
// and fails if one of them could not be built.

const ROOT = join(import.meta.dir, "..");
const MIB = 1024 * 1024;

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { out: { type: "string", default: join(ROOT, "dist") } },
  allowPositionals: true,
});

function chosen(): readonly Target[] {
  if (positionals.length === 0) return TARGETS;
  return positionals.map(targetNamed);
}

function targetNamed(word: string): Target {
  const target = word === "host" ? hostTarget() : TARGETS.find((each) => each === word);
  if (target) return target;
  console.error(`'${word}' is not a target. Targets: host, ${TARGETS.join(", ")}.`);
  process.exit(2);
}

const failures: string[] = [];

async function row(target: Target, assets: BinaryAssets): Promise<string> {
  try {
    const { path, bytes } = await buildBinary(target, values.out, assets);
    const cells = target === hostTarget() ? await startCells([path]) : "not run here | not run here";
    return `| ${relative(process.cwd(), path)} | ${(bytes / MIB).toFixed(0)} MiB | ${cells} |`;
  } catch (error) {
    failures.push(`${target}: ${error instanceof Error ? error.message : String(error)}`);
    return `| ${target} | not built | | |`;
  }
}

async function startCells(words: readonly string[], cwd?: string): Promise<string> {
  const times: string[] = [];
  for (const what of ["serve", "worker"] satisfies Started[])
    times.push(`${Math.round(await measureStartUp(what, words, cwd))} ms`);
  return times.join(" | ");
}

const targets = chosen();
mkdirSync(values.out, { recursive: true });
console.log("| program | size | until the server serves (median) | until the worker runs |\n| --- | --- | --- | --- |");
const { words, cwd } = ownCommand();
console.log(`| bun src/cli/main.ts | | ${await startCells(words, cwd)} |`);
const assets = await makeAssets();
try {
  for (const target of targets) console.log(await row(target, assets));
} finally {
  assets.remove();
}
if (failures.length > 0) {
  console.error(`\nNot built:\n${failures.map((failure) => `- ${failure}\n`).join("")}`);
  process.exitCode = 1;
}
