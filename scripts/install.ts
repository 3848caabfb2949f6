import { existsSync } from "node:fs";
import manifest from "../package.json" with { type: "json" };

// Runs before every script of package.json, so that a clean clone needs no separate step. It is silent if nothing is
// missing (a few milliseconds, no network), and imports nothing that it would have to install first.
// `--production` installs only what the programs themselves need, and removes nothing.

const wanted = manifest.engines.bun;
if (!Bun.semver.satisfies(Bun.version, wanted)) {
  console.error(`Moorage needs Bun ${wanted}; this is ${Bun.version}. Update it with 'bun upgrade'.`);
  process.exit(1);
}

const isFirst = !existsSync(`${import.meta.dir}/../node_modules`);
if (isFirst) console.error("Installing the packages in bun.lock (only needed once)…");

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
