import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { buildBinary, hostTarget, PROGRAMS, type Program, TARGETS, type Target } from "./binaries/build-binary.ts";
import { measureStartUp } from "./binaries/start-up.ts";

// `bun run binaries [target …] [--out folder]` builds server and worker as programs that need neither Bun nor packages.
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

async function row(program: Program, target: Target): Promise<string> {
  try {
    const { path, bytes } = await buildBinary(program, target, values.out);
    const start = target === hostTarget() ? `${Math.round(await measureStartUp(program, [path]))} ms` : "not run here";
    return `| ${relative(process.cwd(), path)} | ${(bytes / MIB).toFixed(0)} MiB | ${start} |`;
  } catch (error) {
    failures.push(`${program} for ${target}: ${error instanceof Error ? error.message : String(error)}`);
    return `| ${program}-${target} | not built | |`;
  }
}

async function sourceRow(program: Program): Promise<string> {
  const { entry } = PROGRAMS[program];
  const start = await measureStartUp(program, [process.execPath, entry], ROOT);
  return `| bun ${entry} | | ${Math.round(start)} ms |`;
}

const targets = chosen();
mkdirSync(values.out, { recursive: true });
console.log("| program | size | until it serves (median) |\n| --- | --- | --- |");
// Object.keys gives strings; these are the keys of PROGRAMS.
for (const program of Object.keys(PROGRAMS) as Program[]) {
  console.log(await sourceRow(program));
  for (const target of targets) console.log(await row(program, target));
}
if (failures.length > 0) {
  console.error(`\nNot built:\n${failures.map((failure) => `- ${failure}\n`).join("")}`);
  process.exitCode = 1;
}
