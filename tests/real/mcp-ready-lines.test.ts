import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { delimiter, join } from "node:path";
import { type ReadyClient, readyLines } from "../../src/plugins/mcp/catalog/ready-lines.ts";
import { lacks } from "../support/lacks.ts";
import { startFixture } from "../support/mcp-rig.ts";
import { McpServer } from "../support/mcp-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startTestWorker } from "../support/test-worker.ts";
import { COMMAND_TIMEOUT_MS, NODE, NPM_ENVIRONMENT, NPM_PACKAGES, QUIET_CLAUDE_CODE } from "./environment.ts";

// One test runs four commands.
setDefaultTimeout(4 * COMMAND_TIMEOUT_MS);

const TOKEN = "a-token-of-forty-characters-for-the-relay";

/** Gemini CLI uses no MCP server in a directory before its user has said there that it may. */
const TRUST = { GEMINI_CLI_TRUST_WORKSPACE: "true" };

// The lines of the catalogue, run by a shell as they are, with the programs that they are for.
describe.skipIf(lacks("lines of the catalogue", NPM_PACKAGES))("a line of the catalogue", () => {
  const running: { stop(): unknown }[] = [];
  let server: McpServer;
  beforeAll(async () => {
    server = new McpServer();
    const fixture = await startFixture();
    running.push(server, fixture);
    for (const [id, authToken] of [
      ["guarded", TOKEN],
      ["open", undefined],
    ] as const) {
      const settings = { server: server.url, id, mcpUrl: fixture.url, authToken, drainTimeoutMs: 0 };
      const worker = startTestWorker({ kinds: ["mcp"], ...settings });
      running.push(worker);
      await worker.registered;
    }
  });
  afterAll(async () => {
    for (const each of running.splice(0).reverse()) await each.stop();
  });

  /** Runs a command and returns what it printed, whether it succeeds or not. Rejects if it does not end in time. */
  async function run(command: string, home: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const programs = join(NPM_ENVIRONMENT, "node_modules/.bin");
    const path = `${programs}${delimiter}${process.env["PATH"]}`;
    const shell = Bun.spawn(["sh", "-c", command], {
      cwd: home,
      env: { PATH: path, HOME: home, ...TRUST, ...QUIET_CLAUDE_CODE, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: COMMAND_TIMEOUT_MS,
    });
    const [said, complained] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
    if (shell.signalCode) throw new Error(`${command} ended with ${shell.signalCode}: ${said}${complained}`);
    return said + complained;
  }

  const lineOf = (client: ReadyClient, id: string, access: string): string => {
    const lines = readyLines({ id, url: `${server.url}/api/mcp/id/${id}/mcp`, access });
    return lines.find((each) => each.client === client)?.text ?? expect.unreachable();
  };

  /** Runs the lines of a client, and the command that lists its MCP servers with what it says of one that works. */
  async function reach(client: ReadyClient, list: string, connected: string): Promise<void> {
    const directory = temporaryDirectory();
    running.push({ stop: () => directory.remove() });
    await run(lineOf(client, "guarded", "token"), directory.path);
    await run(lineOf(client, "open", "none"), directory.path);
    const said = await run(list, directory.path, { GUARDED_TOKEN: TOKEN });
    const stateOf = (id: string): string => said.split("\n").find((each) => each.includes(`/id/${id}/`)) ?? said;
    expect(stateOf("guarded")).toContain(connected);
    expect(stateOf("open")).toContain(connected);
    const wrong = await run(list, directory.path, { GUARDED_TOKEN: "wrong" });
    expect(wrong.split("\n").find((each) => each.includes("/id/guarded/"))).not.toContain(connected);
  }

  test("lets Claude Code reach a relay, with the token from its variable", () =>
    reach("claude-code", "claude mcp list", "✔ Connected"));

  test.skipIf(lacks("the catalogue's line for Gemini CLI", NODE))(
    "lets Gemini CLI reach a relay, with the token from its variable",
    () => reach("gemini", "gemini mcp list", "- Connected"),
  );
});
