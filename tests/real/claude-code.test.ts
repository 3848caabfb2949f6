import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { lacks } from "../support/lacks.ts";
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts";
import { makeSignInHome, type SignInHome } from "../support/sign-in-home.ts";
import { CLAUDE_CODE, COMMAND_TIMEOUT_MS, NPM_PACKAGES, QUIET_CLAUDE_CODE } from "./environment.ts";
import { API_KEY, Stack } from "./stack.ts";

// Claude Code with a home of its own, a scripted browser, and a scripted model in place of Anthropic's. What needs an account
// is left out: claude.ai, Claude Desktop and the mobile apps add connectors from Anthropic's own servers.

const EVERYTHING = `${process.execPath} ${join(import.meta.dir, "../../node_modules/.bin/mcp-server-everything")} stdio`;

// One test runs up to four commands.
setDefaultTimeout(4 * COMMAND_TIMEOUT_MS);

describe.skipIf(lacks("Claude Code", NPM_PACKAGES))("Claude Code", () => {
  let stack: Stack;
  let model: ScriptedModel;
  const homes: SignInHome[] = [];

  beforeAll(async () => {
    model = startScriptedModel("mcp__harbour__echo", { message: "ahoy" });
    // A machine of tests cannot fetch the document at claude.ai by which Claude Code introduces itself, so it registers instead.
    stack = await Stack.start({ MCP_CLIENT_DOCUMENTS: "false" });
    await stack.worker(["mcp", "--id", "everything", "--access", "connector", "--stdio", EVERYTHING]);
  });
  afterAll(async () => {
    await stack.stop();
    await model.stop();
    for (const home of homes) home.remove();
  });

  const relay = (): string => `${stack.url}/api/mcp/id/everything/mcp`;

  function newHome(): SignInHome {
    const home = makeSignInHome(API_KEY);
    homes.push(home);
    return home;
  }

  const environment = (home: SignInHome): Record<string, string> => ({
    ...home.env,
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: "of-the-scripted-model",
    ...QUIET_CLAUDE_CODE,
    ENABLE_TOOL_SEARCH: "false",
  });

  /** Runs Claude Code and returns what it printed. Rejects if it fails. */
  async function claude(home: SignInHome, ...args: readonly string[]): Promise<string> {
    const child = Bun.spawn([CLAUDE_CODE, ...args], {
      cwd: home.directory,
      env: environment(home),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: COMMAND_TIMEOUT_MS,
    });
    const [printed, said, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    if (code !== 0)
      throw new Error(`claude ${args.join(" ")} ended with ${child.signalCode ?? code}: ${printed}${said}`);
    return printed;
  }

  /** Signs in, which Claude Code only does in a terminal. Returns what it showed there. */
  async function signIn(home: SignInHome): Promise<string> {
    let shown = "";
    const child = Bun.spawn([CLAUDE_CODE, "mcp", "login", "harbour"], {
      cwd: home.directory,
      env: { ...environment(home), TERM: "xterm-256color" },
      timeout: COMMAND_TIMEOUT_MS,
      terminal: {
        cols: 400,
        rows: 50,
        data(_terminal, bytes) {
          shown += Buffer.from(bytes).toString();
        },
      },
    });
    if ((await child.exited) !== 0) throw new Error(`the sign-in failed: ${shown}${home.complaints()}`);
    return shown;
  }

  const ask = (home: SignInHome): Promise<string> =>
    claude(home, "-p", "Say ahoy by the tool.", "--allowedTools", "mcp__harbour__echo");

  test("adds a connector relay by its URL, signs in by the browser, and calls a tool", async () => {
    const home = newHome();
    await claude(home, "mcp", "add", "--transport", "http", "harbour", relay());
    expect(await claude(home, "mcp", "list")).toContain("Needs authentication");
    expect(await signIn(home)).toContain("Authenticated");
    expect(await claude(home, "mcp", "get", "harbour")).toContain("Connected");
    expect(await ask(home)).toContain("Echo: ahoy");
    expect(model.offered()).toContain("mcp__harbour__echo");
  });

  test("uses a key of the server without any sign-in", async () => {
    const home = newHome();
    const header = `Authorization: Bearer ${API_KEY}`;
    await claude(home, "mcp", "add", "--transport", "http", "harbour", relay(), "--header", header);
    expect(await claude(home, "mcp", "get", "harbour")).toContain("Connected");
    expect(await ask(home)).toContain("Echo: ahoy");
  });

  test("is shut out again when it signs out", async () => {
    const home = newHome();
    await claude(home, "mcp", "add", "--transport", "http", "harbour", relay());
    await signIn(home);
    await claude(home, "mcp", "logout", "harbour");
    expect(await claude(home, "mcp", "get", "harbour")).toContain("Needs authentication");
  });
});
