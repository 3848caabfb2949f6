import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { packageFiles } from "../src/packing/bundle.ts";
import { packageTarball } from "../src/packing/tarball.ts";
import { BUNDLE_FOLDER, TOP_FOLDER } from "../src/system/own-program.ts";

// `bun run package [--out folder]` writes the npm package to `dist/`. `npm pack` gives a package with the same content: npm runs
// this script before and after it packs, which for that time puts the package's own package.json in place of this project's. If npm
// fails in between, `bun scripts/package.ts after-npm` puts this project's back.

const MANIFEST = join(TOP_FOLDER, "package.json");
const KEPT = join(TOP_FOLDER, "node_modules/.cache/package.json.before-pack");

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { out: { type: "string", default: join(TOP_FOLDER, "dist") } },
  allowPositionals: true,
});
switch (positionals[0]) {
  case undefined:
    await write(values.out);
    break;
  case "before-npm":
    await placeFiles();
    break;
  case "after-npm":
    removeFiles();
    break;
  default:
    console.error("Usage: bun run package [--out folder]");
    process.exitCode = 2;
}

async function write(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { name, bytes } = await packageTarball();
  const path = join(folder, name);
  await Bun.write(path, bytes);
  console.log(`${relative(process.cwd(), path)}: ${(bytes.length / 1024 / 1024).toFixed(1)} MiB`);
}

async function placeFiles(): Promise<void> {
  // An attempt before this one was ended in the middle.
  if (existsSync(KEPT)) removeFiles();
  const files = await packageFiles(TOP_FOLDER);
  mkdirSync(dirname(KEPT), { recursive: true });
  for (const { path, bytes } of files.filter(({ path }) => path.startsWith(`${BUNDLE_FOLDER}/`)))
    await Bun.write(join(TOP_FOLDER, path), bytes);
  renameSync(MANIFEST, KEPT);
  for (const { bytes } of files.filter(({ path }) => path === "package.json")) await Bun.write(MANIFEST, bytes);
}

function removeFiles(): void {
  rmSync(join(TOP_FOLDER, BUNDLE_FOLDER), { recursive: true, force: true });
  if (existsSync(KEPT)) renameSync(KEPT, MANIFEST);
}
