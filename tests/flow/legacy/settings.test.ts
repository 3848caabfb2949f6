import { expect, test } from "bun:test";
import { join } from "node:path";
import { ProgramRun } from "../../support/program-run.ts";

const ROOT = join(import.meta.dir, "../../..");
const PATH = process.env["PATH"] ?? "";

test.each([
  ["the server", "src/main.ts", [], "LLM_QUEUE_SIZE"],
  ["the worker", "src/worker/main.ts", ["llm", "--backend", "http://127.0.0.1:9"], "STATUS_ADDR"],
])(
  "%s starts with the variables of nfrx and says in one line each what to use instead",
  async (_, program, args, name) => {
    const run = new ProgramRun([process.execPath, program, ...args], { PORT: "0", PATH, [name]: "5" }, ROOT);
    const line = await run.event("setting.ignored");
    expect(line).toMatchObject({ level: "warn", name });
    expect(line["hint"]).toStartWith("a setting of nfrx");
    run.kill();
    await run.exited;
  },
);
