import { existsSync } from "node:fs";
import manifest from "../package.json" with { type: "json" };

// Runs before every script of package.json, so that a clean clone needs no step of its own. Silent when nothing is
// missing (a few milliseconds, no network). Imports nothing that it would have to install first.
// `--production`: only what the programs themselves need. What is there already stays.

const wanted = manifest.engines.bun;
if (!Bun.semver.satisfies(Bun.version, wanted)) {
  console.error(`Moorage needs Bun ${wanted}; this is ${Bun.version}. Update it with 'bun upgrade'.`);
  process.exit(1);
}

const isFirst = !existsSync(`${import.meta.dir}/../node_modules`);
if (isFirst) console.error("Installing the packages that bun.lock names, once…");

const install = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile", ...process.argv.slice(2)], {
  cwd: `${import.meta.dir}/..`,
  stdin: "ignore",
  stdout: "pipe",
  stderr: "pipe",
});
if (!install.success) {
  process.stderr.write(install.stdout);
  process.stderr.write(install.stderr);
  console.error("The packages could not be installed; the lines above say why.");
  process.exit(1);
}
