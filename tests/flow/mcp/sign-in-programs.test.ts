import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { type ConnectorRig, startConnectorRig } from "../../support/connector-rig.ts";
import { callBack, signInAt } from "../../support/sign-in.ts";
import { makeSignInHome, type SignInHome } from "../../support/sign-in-home.ts";

// Programs from npm that sign in to a connector relay, each in its own process with a home of its own. The browser that they
// open is scripted.

const ROOT = join(import.meta.dir, "../../..");
const INSPECTOR = join(ROOT, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js");
const MCP_REMOTE = join(ROOT, "node_modules/mcp-remote/dist/proxy.js");
/** Timeout of a program, which starts within a second or two, and slower on a busy machine. */
const TIMEOUT_MS = 30_000;

let rig: ConnectorRig;
let home: SignInHome;
beforeAll(async () => {
  rig = await startConnectorRig();
  home = makeSignInHome(rig.key);
});
afterAll(async () => {
  await rig.stop();
  home.remove();
});

/** Runs mcp-remote, calls a tool through it, and returns the tool's text and what mcp-remote said. */
async function callByMcpRemote(): Promise<{ readonly text: string; readonly said: string }> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MCP_REMOTE, rig.url.href, "--allow-http", "--transport", "http-only"],
    env: home.env,
    cwd: home.directory,
    stderr: "pipe",
  });
  let said = "";
  transport.stderr?.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  const client = new Client({ name: "test", version: "1" });
  try {
    await client.connect(transport);
    const { content } = await client.callTool({ name: "smoke_echo", arguments: { text: "ahoy ⚓" } });
    const [first] = content as readonly { readonly text?: string }[]; // The SDK types it loosely; the tool answers with a text.
    return { text: first?.text ?? "", said };
  } finally {
    await client.close();
  }
}

describe("mcp-remote", () => {
  test(
    "signs in by the browser that it opens, calls a tool, and needs no browser the next time",
    async () => {
      const first = await callByMcpRemote();
      expect(first.text).toBe("ahoy ⚓");
      expect(first.said).toContain("Please authorize");
      const second = await callByMcpRemote();
      expect(second.text).toBe("ahoy ⚓");
      expect(second.said).not.toContain("Please authorize");
    },
    2 * TIMEOUT_MS,
  );
});

/** Runs the Inspector's command line, signs in when it asks for that, and returns the JSON that it printed. */
async function inspect(...args: readonly string[]): Promise<{ readonly result: unknown; readonly signIns: number }> {
  const child = Bun.spawn([process.execPath, INSPECTOR, "--cli", rig.url.href, "--transport", "http", ...args], {
    cwd: home.directory,
    // Without this it does not start a sign-in outside a terminal. It never opens the browser itself.
    env: { ...home.env, MCP_AUTO_OPEN_ENABLED: "true", MCP_INSPECTOR_SECRET_STORE: "file" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let said = "";
  let signIns = 0;
  const read = async (): Promise<void> => {
    for await (const bytes of child.stderr) {
      said += Buffer.from(bytes).toString();
      const url = signIns === 0 ? /Please navigate to: (http\S+)\s/.exec(said)?.[1] : undefined;
      if (url === undefined) continue;
      signIns++;
      await callBack((await signInAt(url, { key: rig.key })).callback);
    }
  };
  const [printed] = await Promise.all([child.stdout.text(), read(), child.exited]);
  if (child.exitCode !== 0) throw new Error(`the Inspector ended with ${child.exitCode}: ${said}${printed}`);
  return { result: JSON.parse(printed), signIns };
}

describe("the Inspector's command line", () => {
  const call = ["--method", "tools/call", "--tool-name", "smoke_echo", "--tool-arg", "text=ahoy ⚓"];

  test(
    "signs in and calls a tool, and has its token the next time",
    async () => {
      const first = await inspect(...call, "--protocol-era", "legacy");
      expect(first.result).toMatchObject({ content: [{ type: "text", text: "ahoy ⚓" }] });
      expect(first.signIns).toBe(1);
      const second = await inspect(...call, "--protocol-era", "modern");
      expect(second.result).toMatchObject({ content: [{ type: "text", text: "ahoy ⚓" }] });
      expect(second.signIns).toBe(0);
    },
    2 * TIMEOUT_MS,
  );
});
