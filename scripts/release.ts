import { mkdirSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { productionPackages } from "../src/packing/lock.ts";
import { licenseName } from "../src/packing/notices.ts";
import { packageTarball } from "../src/packing/tarball.ts";
import { BUN_VERSION } from "../src/system/launcher.ts";
import { TOP_FOLDER } from "../src/system/own-program.ts";
import { buildBinary, hostTarget, makeAssets, TARGETS, type Target } from "./binaries/build-binary.ts";
import { reasonsAgainst, sectionOf } from "./release/checks.ts";
import { toSbom } from "./release/sbom.ts";

// `bun run release [--dry-run] [--out folder] [--target host|linux-x64|…]` makes everything that docs/releasing.md says of a release,
// and publishes nothing. It refuses a tree with uncommitted changes, and a version that CHANGELOG.md does not describe.

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    "dry-run": { type: "boolean", default: false },
    out: { type: "string" },
    target: { type: "string", multiple: true },
  },
});
const { name, version, license, description } = manifest;
const prefix = `${name}-${version}`;
const out = values.out ?? join(TOP_FOLDER, "dist", prefix);
const targets: readonly Target[] = values.target?.map(targetNamed) ?? TARGETS;

const changelog = await Bun.file(join(TOP_FOLDER, "CHANGELOG.md")).text();
const tags = git("tag", "--points-at", "HEAD").split("\n");
const reasons = reasonsAgainst({
  version,
  changelog,
  status: git("status", "--porcelain"),
  tags,
  isTaggedElsewhere: git("tag", "--list", `v${version}`).trim() !== "" && !tags.includes(`v${version}`),
});
const planned = [
  `${prefix}.tgz`,
  ...targets.map((target) => `moorage-${target}${target.startsWith("windows") ? ".exe" : ""}`),
  `${prefix}-container.tar.gz`,
  `${prefix}.cdx.json`,
  "RELEASE-NOTES.md",
  "SHA256SUMS",
];
for (const reason of reasons) console.error(`- ${reason}`);
if (values["dry-run"]) console.log(`${relative(process.cwd(), out) || "."} would get:\n  ${planned.join("\n  ")}`);
if (reasons.length > 0) {
  console.error(`Version ${version} cannot be released from this tree.`);
  process.exitCode = 1;
} else if (!values["dry-run"]) await make();

async function make(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const write = (file: string, content: string | Uint8Array): Promise<number> => Bun.write(join(out, file), content);
  await write(`${prefix}.tgz`, (await packageTarball()).bytes);
  const assets = await makeAssets();
  try {
    for (const target of targets) await buildBinary(target, out, assets);
  } finally {
    assets.remove();
  }
  await write(`${prefix}-container.tar.gz`, await containerContext());
  await write(`${prefix}.cdx.json`, `${JSON.stringify(await sbom(), undefined, 2)}\n`);
  await write("RELEASE-NOTES.md", `${sectionOf(version, changelog)}\n`);
  await write("SHA256SUMS", await checksums(planned.filter((file) => file !== "SHA256SUMS")));
  for (const file of planned)
    console.log(`${relative(process.cwd(), join(out, file))}: ${sizeText(Bun.file(join(out, file)).size)}`);
}

/** The files that .dockerignore lets through, with the Dockerfile: what `docker build` takes from standard input. */
async function containerContext(): Promise<Uint8Array> {
  const ignored = await Bun.file(join(TOP_FOLDER, ".dockerignore")).text();
  const names = [...ignored.matchAll(/^!(.+)$/gm)].map(([, file = ""]) => file);
  return gitBytes("archive", "--format=tar.gz", "HEAD", "Dockerfile", ".dockerignore", ...names);
}

async function sbom(): Promise<object> {
  const locked = productionPackages(await Bun.file(join(TOP_FOLDER, "bun.lock")).text());
  const packages = locked.map((each) => ({ ...each, license: licenseName(join(TOP_FOLDER, each.folder)) }));
  return toSbom({ name, version, license, description, packages, bun: BUN_VERSION });
}

/** Lines in the form of `sha256sum`, which checks them with `sha256sum -c SHA256SUMS`. */
async function checksums(files: readonly string[]): Promise<string> {
  const lines = files.map(async (file) => {
    const hash = new Bun.CryptoHasher("sha256");
    for await (const bytes of Bun.file(join(out, file)).stream()) hash.update(bytes);
    return `${hash.digest("hex")}  ${basename(file)}\n`;
  });
  return (await Promise.all(lines)).join("");
}

function sizeText(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function git(...words: readonly string[]): string {
  return gitBytes(...words).toString();
}

function gitBytes(...words: readonly string[]): Buffer {
  const { success, stdout, stderr } = Bun.spawnSync(["git", ...words], { cwd: TOP_FOLDER, maxBuffer: 1024 ** 3 });
  if (success) return stdout;
  throw new Error(`git ${words[0]} failed: ${stderr.toString().trim()}`);
}

function targetNamed(word: string): Target {
  const target = word === "host" ? hostTarget() : TARGETS.find((each) => each === word);
  if (target) return target;
  console.error(`'${word}' is not a target. Targets: host, ${TARGETS.join(", ")}.`);
  process.exit(2);
}
