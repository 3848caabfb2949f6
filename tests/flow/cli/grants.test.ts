import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { askForAccess } from "../../support/authorization-request.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { signInAt } from "../../support/sign-in.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADMIN_KEY = "admin-key-of-the-operator-0123456789";
const API_KEY = "key-of-a-client-0123456789";
const CALLBACK = "http://127.0.0.1:33418/callback";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function mcp(env: Readonly<Record<string, string>>, ...args: string[]) {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", "mcp", ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

/** Lets a program in to the relay `files`, as far as the code. */
async function letIn(url: string, name: string): Promise<void> {
  const asking = await askForAccess(url, { relay: "files", redirectUri: CALLBACK, name });
  const { callback } = await signInAt(asking.url, { key: API_KEY });
  expect(callback.searchParams.get("code")).toBeString();
}

test("grants are listed and revoked, at a running server and in the store of one that was stopped", async () => {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  const data = join(made.path, "data");
  const settings = { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: "0", START_GRACE: "0s" };
  const keys = { ADMIN_KEY, API_KEY, CLIENT_KEY: "key-of-a-worker-0123456789", DATA_DIR: data };
  const run = new ProgramRun([process.execPath, "src/main.ts"], { ...settings, ...keys }, ROOT);
  ends.push(() => run.stop());
  const url = await run.url();
  const relay = await NativeWorker.connect({
    url,
    path: "/api/mcp/connect",
    register: {
      type: undefined,
      client_key: keys.CLIENT_KEY,
      id: "files",
      info: { auth: "connector", restricts: true },
    },
  });
  for (const name of ["Sextant", "Astrolabe", "Evil\u001b[31mname"]) await letIn(url, name);
  relay.close();

  const env = { ADMIN_KEY, SERVER_URL: url };
  const shown = await mcp(env, "grants");
  expect(shown).toMatchObject({ code: 0, err: "" });
  const lines = shown.out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^ID +PROGRAM +RELAY +LET IN BY +SINCE +LAST USED +ENDS IF UNUSED$/);
  expect(lines).toHaveLength(4);
  expect(shown.out).not.toContain("\u001b");
  expect(shown.out).toContain("Astrolabe");

  const { data: listed } = JSON.parse((await mcp(env, "grants", "--relay", "files", "--json")).out);
  const idOf = (name: string): string =>
    listed.find((each: { client: { name: string } }) => each.client.name === name).id;
  expect(await mcp(env, "revoke", idOf("Sextant"))).toEqual({
    code: 0,
    out: "",
    err: "Ended the access of 'Sextant' to files.\n",
  });
  expect((await mcp(env, "revoke", idOf("Sextant"))).code).toBe(1);

  await run.stop();
  const local = await mcp({}, "grants", "--data-dir", data);
  expect(local.out).toContain("Astrolabe");
  expect(local.out).not.toContain("Sextant");
  expect((await mcp({}, "revoke", idOf("Astrolabe"), "--data-dir", data)).code).toBe(0);
  expect((await mcp({}, "grants", "--data-dir", data)).out).not.toContain("Astrolabe");
}, 60_000);
