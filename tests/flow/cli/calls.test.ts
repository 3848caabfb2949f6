import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADMIN_KEY = "admin-key-of-the-operator-0123456789";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Env = Readonly<Record<string, string>>;

async function calls(env: Env, ...args: string[]) {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", "mcp", "calls", ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

/** Calls each of these tools once, through a relay. */
async function use(url: string, tools: readonly string[]): Promise<void> {
  const relay = await NativeWorker.connect({
    url,
    path: "/api/mcp/connect",
    register: { type: undefined, id: "files" },
  });
  for (const name of tools) {
    const response = fetch(`${url}/api/mcp/id/files/mcp`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }),
      headers: { "content-type": "application/json" },
    });
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, '{"jsonrpc":"2.0","id":1,"result":{}}', true);
    expect((await response).status).toBe(200);
  }
  relay.close();
}

test("calls are shown, searched and exported, at a running server and in the store of one that was stopped", async () => {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  const data = join(made.path, "data");
  const settings = { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: "0", START_GRACE: "0s" };
  const run = new ProgramRun([process.execPath, "src/main.ts"], { ...settings, ADMIN_KEY, DATA_DIR: data }, ROOT);
  ends.push(() => run.stop());
  const url = await run.url();
  await use(url, ["read_file", "write_file", "read_\u001b[31mred"]);

  const env = { ADMIN_KEY, SERVER_URL: url };
  const shown = await calls(env);
  expect(shown).toMatchObject({ code: 0, err: "" });
  const lines = shown.out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^AT +RELAY +CALLER +METHOD +NAME +OUTCOME +REASON +STATUS +MS +IN +OUT$/);
  expect(lines[1]).toMatch(/files +anonymous +tools\/call +read_\[31mred +completed +200 +\d+ +\d+ +36$/);
  expect(lines).toHaveLength(4);
  expect((await calls(env, "--limit", "1")).err).toMatch(/^There are older calls. To see them: --after \d+\n$/);
  expect((await calls(env, "--search", "WRITE", "--since", "1h")).out.trimEnd().split("\n")).toHaveLength(2);
  expect(await calls(env, "--outcome", "denied")).toMatchObject({ out: "", err: "There are no such calls.\n" });
  expect(await calls(env, "--outcome", "odd")).toMatchObject({ code: 1, err: expect.stringContaining("--outcome") });
  expect((await calls({ SERVER_URL: url })).err).toContain("ADMIN_KEY");
  const exported = await calls(env, "--jsonl");
  const namesIn = (text: string): unknown[] =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { name: string }).name); // the lines of the route
  expect(namesIn(exported.out)).toEqual(["read_[31mred", "write_file", "read_file"]);

  await run.stop();
  const alone = await calls({ DATA_DIR: data }, "--jsonl", "--name", "read_*");
  expect(alone.code).toBe(0);
  expect(namesIn(alone.out)).toEqual(["read_[31mred", "read_file"]);
}, 60_000);
