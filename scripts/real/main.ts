import { makeEnvironment } from "./environment.ts";

// `bun scripts/real/main.ts` only makes the virtual environment of tests/real. It needs no installed package.
const reason = await makeEnvironment();
if (reason !== undefined) {
  console.error(reason);
  process.exit(1);
}
