import { closingLine, runTests } from "../run-tests.ts";
import { makeEnvironment } from "./environment.ts";
import { makeNpmEnvironment } from "./npm-environment.ts";

// `bun run test:real [-t pattern …]` runs the tests with real model servers, MCP servers, SDKs and clients
// from PyPI and npm.
const reason = await makeEnvironment();
if (reason !== undefined) {
  console.error(`The Python packages cannot be installed: ${reason}`);
  process.exit(1);
}
const missing = await makeNpmEnvironment();
if (missing !== undefined) console.error(`The programs from npm cannot be installed: ${missing}`);
const tally = await runTests(["tests/real", ...process.argv.slice(2)]);
console.log(closingLine(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;
