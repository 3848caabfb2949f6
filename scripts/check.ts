import { makeEnvironment } from "./real/environment.ts";
import { makeNpmEnvironment } from "./real/npm-environment.ts";
import { closingLine, runTests } from "./run-tests.ts";

// `bun run check` does everything that CI does. Each step runs even if an earlier one failed, so that one run reports
// everything that is wrong. The tools run in this Bun, never in the `node` that the machine happens to have.

interface Step {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: "types", script: "node_modules/typescript/bin/tsc", args: ["--noEmit", "--pretty", "false"] },
  {
    name: "types in the browser",
    script: "node_modules/typescript/bin/tsc",
    args: ["--noEmit", "--pretty", "false", "--project", "views/client"],
  },
  {
    name: "format and lint",
    script: "node_modules/@biomejs/biome/bin/biome",
    args: ["check", "--error-on-warnings", "--colors=off", "--max-diagnostics=50"],
  },
  {
    name: "unescaped text in views",
    script: "node_modules/@kitajs/ts-html-plugin/dist/cli.js",
    args: ["--project", "tsconfig.json"],
  },
  {
    name: "imports",
    script: "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
    args: ["--config", ".dependency-cruiser.cjs", "--no-progress", "src", "views", "tests", "bench", "scripts"],
  },
  { name: "OpenAPI document", script: "scripts/openapi.ts", args: [] },
];

/** Milliseconds. The slowest step takes a few seconds; a step that takes minutes hangs. */
const STEP_TIMEOUT_MS = 5 * 60_000;

async function passes(step: Step): Promise<boolean> {
  const startedAt = performance.now();
  const run = Bun.spawn([process.execPath, step.script, ...step.args], {
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: STEP_TIMEOUT_MS,
  });
  const [stdout, stderr, exitCode] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  const isGood = exitCode === 0;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${isGood ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
  if (!isGood) console.log(`${stdout}${stderr}`.trimEnd());
  return isGood;
}

const failed: string[] = [];
for (const step of STEPS) {
  if (!(await passes(step))) failed.push(step.name);
}
const unmade = await makeEnvironment();
if (unmade !== undefined) console.log(`The Python packages of tests/real cannot be installed: ${unmade}`);
const missing = await makeNpmEnvironment();
if (missing !== undefined) console.log(`The programs of tests/real/npm cannot be installed: ${missing}`);
const tally = await runTests([]);
if (failed.length > 0) console.log(`Failed steps other than the tests: ${failed.join(", ")}`);
console.log(closingLine(tally));
process.exitCode = failed.length > 0 || tally.failed > 0 ? 1 : 0;
