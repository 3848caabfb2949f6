#!/usr/bin/env node
// The door of the npm package: starts lib/moorage.js with the Bun that npm installed beside it, and passes on signals, exit code,
// input and output. It runs on Node 18 and later, and on Bun, and needs no package.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";

const TOP = join(dirname(realpathSync(fileURLToPath(import.meta.url))), "..");
const PROGRAM = join(TOP, "lib", "moorage.js");
const MANIFEST = JSON.parse(readFileSync(join(TOP, "package.json"), "utf8"));
/** The version of Bun that the program was made with. */
const BUN = MANIFEST.engines.bun.replace(/^\D+/, "");
/** Milliseconds between two looks at whether npx is still there. */
const PARENT_EVERY_MS = 500;
const IS_WINDOWS = process.platform === "win32";

if (!existsSync(PROGRAM))
  fail("This is a clone, which has no program for Node. Start Moorage with 'bun run moorage' in it.");
const bun = findBun();
if (bun === undefined)
  fail(
    `Moorage runs on Bun ${BUN} or later, which npm did not install with it: optional dependencies are turned off, or there is no\n` +
      `Bun for ${process.platform} on ${process.arch}. Install it with 'npm install -g bun@${BUN}', and start Moorage again.`,
  );
start(bun);

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** Returns the path of a fitting Bun: the one that runs this file, the one that npm installed beside it, or one on the PATH. */
function findBun() {
  if (process.versions.bun !== undefined && isRecent(process.versions.bun)) return process.execPath;
  return packagedBun() ?? [...bunsOnPath()].find((path) => existsSync(path) && isRecent(versionOf(path)));
}

function packagedBun() {
  const { resolve } = createRequire(import.meta.url);
  const system = { win32: "windows", android: "linux" }[process.platform] ?? process.platform;
  const machine = process.arch === "arm64" ? "aarch64" : process.arch;
  for (const variant of variants()) {
    try {
      const folder = dirname(resolve(`@oven/bun-${system}-${machine}${variant}/package.json`));
      const path = join(folder, "bin", IS_WINDOWS ? "bun.exe" : "bun");
      if (existsSync(path)) return path;
    } catch {
      // Not installed: npm leaves out what does not fit the machine.
    }
  }
  return undefined;
}

/** Returns the endings of the packages that fit this machine. Old versions of npm install those for other C libraries, too. */
function variants() {
  if (process.platform === "android") return ["-android"];
  if (process.platform !== "linux") return [""];
  if (process.report !== undefined) process.report.excludeNetwork = true;
  const isGlibc = process.report?.getReport()?.header?.glibcVersionRuntime !== undefined;
  return isGlibc ? ["", "-musl"] : ["-musl", ""];
}

function* bunsOnPath() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder === "") continue;
    yield join(folder, IS_WINDOWS ? "bun.exe" : "bun");
    // On Windows npm puts a batch file on the PATH, which cannot be started without a shell.
    if (IS_WINDOWS) yield join(folder, "node_modules", "bun", "bin", "bun.exe");
  }
}

function versionOf(path) {
  return spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000, windowsHide: true }).stdout ?? "";
}

/** Whether a version of Bun is as new as the one that the program was made with, of the same major version. */
function isRecent(version) {
  const [major, minor, patch] = version.trim().split(/[.-]/).map(Number);
  const [wantedMajor, wantedMinor, wantedPatch] = BUN.split(".").map(Number);
  return major === wantedMajor && (minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch));
}

function start(path) {
  const flags = ["--no-env-file", "--no-install", `--config=${join(TOP, "lib", "bunfig.toml")}`];
  const child = spawn(path, [...flags, PROGRAM, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: {
      ...process.env,
      // Bun runs at most 256 fetches at once unless it finds this at its start.
      BUN_CONFIG_MAX_HTTP_REQUESTS: process.env.BUN_CONFIG_MAX_HTTP_REQUESTS ?? "65336",
      ...launchedAs(),
    },
  });
  child.on("error", (error) => fail(`Bun did not start (${path}): ${error.message}`));
  let isEnding = false;
  const end = (signal) => {
    // A second signal would end the program at once, and a terminal sends Ctrl-C to it as well.
    isEnding = true;
    if (signal !== "SIGINT" || ![0, 1, 2].some((descriptor) => isatty(descriptor))) child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, end);
  for (const signal of IS_WINDOWS ? ["SIGHUP"] : ["SIGHUP", "SIGUSR2"]) process.on(signal, (name) => child.kill(name));
  // npx starts this file through a shell. A signal for npx ends that shell, which does not pass it on.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (isEnding || process.ppid === parent) return;
    clearInterval(watch);
    end("SIGTERM");
  }, PARENT_EVERY_MS);
  if (process.env.npm_lifecycle_event !== "npx" || IS_WINDOWS) clearInterval(watch);
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // The signal is ignored, as in a container's first process.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
  });
}

/** Says how npx started this file, which only npx's own folder tells. src/system/launcher.ts finds out the other ways. */
function launchedAs() {
  const [cache, inside] = TOP.split(`${sep}_npx${sep}`);
  if (inside === undefined) return {};
  try {
    const { _npx: npx } = JSON.parse(readFileSync(join(cache, "_npx", inside.split(sep)[0], "package.json"), "utf8"));
    const spec = npx.packages.find((each) => each.includes(MANIFEST.name)) ?? MANIFEST.name;
    return { MOORAGE_LAUNCHED_AS: `npx -y ${shellWord(spec.replace(/^(https?:\/\/)[^/@]*@/, "$1"))}` };
  } catch {
    return {};
  }
}

function shellWord(text) {
  return /^[\w./:@^~=%+\\-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
