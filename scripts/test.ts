import { closingLine, runTests } from "./run-tests.ts";

// `bun run test [path or -t pattern …]` runs the tests alone.
const tally = await runTests(process.argv.slice(2));
console.log(closingLine(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;
