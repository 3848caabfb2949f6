import { readFileSync } from "node:fs";
import { surviveSignals } from "../system/signals.ts";
import { runDoctor } from "./program.ts";

surviveSignals();

/** Runs the doctor in its own process. */
const code = await runDoctor(
  { argv: process.argv.slice(2), env: process.env, readFile: (path) => readFileSync(path, "utf8") },
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
);
process.exit(code);
