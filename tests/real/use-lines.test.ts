import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { SAMPLE_CHAT_MODEL } from "../../src/demo/sample-backend.ts";
import type { ProgramId, UseBlock } from "../../views/client/use-facts.ts";
import { useLines } from "../../views/client/use-lines.ts";
import { ANTHROPIC_ANSWER, type EveryApi, startEveryApi } from "../support/every-api.ts";
import { lacks } from "../support/lacks.ts";
import {
  COMMAND_TIMEOUT_MS,
  NODE,
  NPM_ENVIRONMENT,
  NPM_PACKAGES,
  OPENCODE_FOLDER,
  PYTHON,
  PYTHON_PACKAGES,
  QUIET_CLAUDE_CODE,
} from "./environment.ts";
import { API_KEY, Stack } from "./stack.ts";

// The lines of the page “Use it” and of docs/clients.md, put where they say, with the programs that they are for.

/** Milliseconds. opencode loads for long on a machine that is busy with other tests. */
const PROGRAM_TIMEOUT_MS = 3 * COMMAND_TIMEOUT_MS;

setDefaultTimeout(PROGRAM_TIMEOUT_MS + COMMAND_TIMEOUT_MS);

const ROOT = join(import.meta.dir, "../..");
const ANSWER = "You asked: Say hello.";

describe("lines for programs", () => {
  let stack: Stack;
  let model: EveryApi;
  /** Below the project, so that programs for Node find the packages of the project. */
  let home: string;

  beforeAll(async () => {
    model = startEveryApi();
    stack = await Stack.start();
    await stack.worker(["llm", "--backend", model.url, "--models", SAMPLE_CHAT_MODEL]);
    mkdirSync(join(ROOT, "node_modules/.cache"), { recursive: true });
    home = mkdtempSync(join(ROOT, "node_modules/.cache/use-lines-"));
  });
  afterAll(async () => {
    await stack.stop();
    await model.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const blocksOf = (program: ProgramId): readonly UseBlock[] =>
    useLines({ origin: stack.url, model: SAMPLE_CHAT_MODEL, use: "chat", hasKeys: true }).find(
      ({ id }) => id === program,
    )?.blocks ?? [];

  /** Puts what belongs into files there, and returns what belongs into a shell. */
  function place(program: ProgramId): string {
    const shell: string[] = [];
    for (const { place: where, text } of blocksOf(program)) {
      if (where === "Shell") shell.push(text);
      else {
        const path = join(home, where.replace(/^~\//, ""));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    }
    return shell.join("\n");
  }

  /** Runs a command in a shell and returns what it printed. */
  async function run(command: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = [OPENCODE_FOLDER, join(NPM_ENVIRONMENT, "node_modules/.bin"), process.env["PATH"]].join(delimiter);
    const shell = Bun.spawn(["sh", "-c", command], {
      cwd: home,
      env: { PATH: path, HOME: home, MOORAGE_KEY: API_KEY, ...QUIET_CLAUDE_CODE, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PROGRAM_TIMEOUT_MS,
    });
    const [said, complained, code] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
    if (code !== 0) throw new Error(`${command} ended with ${shell.signalCode ?? code}: ${said}${complained}`);
    return said;
  }

  test("run with curl", async () => {
    expect(await run(place("curl"))).toContain(ANSWER);
  });

  test.skipIf(lacks("the line for Python", PYTHON_PACKAGES))("run with Python", async () => {
    place("python");
    expect(await run(`'${PYTHON}' hello.py`)).toContain(ANSWER);
  });

  test.skipIf(lacks("the line for TypeScript", NODE))("run with Node", async () => {
    place("typescript");
    expect(await run("node hello.mjs")).toContain(ANSWER);
  });

  describe.skipIf(lacks("lines for programs from npm", NPM_PACKAGES))("run with", () => {
    test("Claude Code", async () => {
      expect(await run(`${place("claude-code")} -p 'Say hello.'`)).toContain(ANTHROPIC_ANSWER);
    });

    test("Codex", async () => {
      place("codex");
      expect(await run("codex exec --skip-git-repo-check 'Say hello.'")).toContain("You asked:");
    });

    test("opencode", async () => {
      place("opencode");
      const env = { OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1" };
      expect(await run("opencode run 'Say hello.'", env)).toContain("You asked:");
    });

    test("the command line of Continue", async () => {
      await run(place("continue"));
      const env = { CONTINUE_TELEMETRY_ENABLED: "0" };
      expect(await run("cn --config ~/.continue/config.yaml -p 'Say hello.'", env)).toContain("You asked:");
    });
  });
});
