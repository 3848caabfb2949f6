import { makeEnvironment } from "./environment.ts";
import { makeNpmEnvironment } from "./npm-environment.ts";

// `bun scripts/real/main.ts [python-packages | npm-packages]` only installs what tests/real needs, or one half of it. It needs
// no installed package.
const HALVES = new Map([
  ["python-packages", makeEnvironment],
  ["npm-packages", makeNpmEnvironment],
]);
const [wanted] = process.argv.slice(2);
for (const [name, make] of HALVES) {
  const reason = wanted === undefined || wanted === name ? await make() : undefined;
  if (reason === undefined) continue;
  console.error(reason);
  process.exitCode = 1;
}
