import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NativeWorker } from "../../support/native-worker.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADMIN_KEY = "admin-key-of-the-operator-0123456789";
const KEY = /^mk_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function directory(): string {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  return made.path;
}

type Env = Readonly<Record<string, string>>;

async function moorage(env: Env, ...args: string[]) {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

/** Starts a server and resolves to its URL. */
async function serve(env: Env): Promise<{ readonly url: string; readonly run: ProgramRun }> {
  const settings = { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: "0", START_GRACE: "0s", ...env };
  const run = new ProgramRun([process.execPath, "src/main.ts"], settings, ROOT);
  ends.push(() => run.stop());
  return { url: await run.url(), run };
}

const statusFor = async (url: string, key: string): Promise<number> =>
  (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;

test("the first admin key is created in the store before the server starts, and then operates the server", async () => {
  const data = join(directory(), "data");
  const made = await moorage({ DATA_DIR: data }, "keys", "create", "root", "--kind", "admin");
  expect(made.err).toContain("Created the admin key 'root'");
  const admin = made.out.trim();
  expect(admin).toMatch(KEY);
  expect(made.err).not.toContain(admin);

  const { url, run } = await serve({ DATA_DIR: data });
  const env = { ADMIN_KEY: admin };
  const client = await moorage(env, "keys", "create", "ci", "--models", "qwen*", "--server", url);
  expect(client.code).toBe(0);
  expect(await statusFor(url, client.out.trim())).toBe(200);
  const asClient = await moorage({ ADMIN_KEY: client.out.trim() }, "keys", "list", "--server", url);
  expect(asClient).toMatchObject({ code: 1, out: "", err: expect.stringContaining("does not accept the key") });

  // The server has the lock of the directory, so the command does not touch the file beside it.
  const beside = await moorage({ DATA_DIR: data, PORT: new URL(url).port, ADMIN_KEY: admin }, "keys", "list");
  expect(beside.out).toContain("qwen*");
  await run.stop();
  const after = await moorage({}, "keys", "list", "--data-dir", data, "--json");
  const { data: keys } = JSON.parse(after.out) as { data: { name: string; created_by: string }[] }; // our own JSON
  expect(keys).toMatchObject([
    { name: "root", created_by: "cli" },
    { name: "ci", created_by: expect.stringMatching(/^key:/) },
  ]);
}, 60_000);

test("keys are shown, changed, rotated and revoked by name on a running server, which also shows their usage", async () => {
  const { url } = await serve({ DATA_DIR: directory(), ADMIN_KEY, CLIENT_KEY: "client-key-of-workers-0123456789" });
  const env = { ADMIN_KEY, SERVER_URL: url };
  const run = (...args: string[]) => moorage(env, ...args);
  const key = (await run("keys", "create", "--name", "ci", "--tokens-per-day", "1k")).out.trim();

  const worker = await NativeWorker.connect({
    url,
    register: { client_key: "client-key-of-workers-0123456789", models: ["m"] },
  });
  const chat = fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [] }),
  });
  worker.answerJson((await worker.request()).id, { choices: [], usage: { prompt_tokens: 30, completion_tokens: 12 } });
  expect((await chat).status).toBe(200);

  const limits = await run("keys", "limits", "ci", "--parallel", "4");
  expect(limits.out).toMatch(/LIMIT +USED +OF +RESETS\nparallel +0 +4\ntokens_per_day +42 +1000 +\d{4}-/);
  expect((await run("keys", "limits", "ci", "--tokens-per-day", "none")).out).not.toContain("tokens_per_day");
  expect((await run("keys", "update", "ci", "--weight", "3", "--models", "m,n")).out).toMatch(/models +m,n\n/);
  const usage = await run("usage", "--by", "key,model", "--since", "1h");
  expect(usage.out).toMatch(
    /KEY +MODEL +REQUESTS .*\nci \([0-9a-z]{12}\) +m +1 +0 +30 +0 +12 .*\ntotal +1 +0 +30 +0 +12/,
  );
  expect((await run("usage", "--by", "model", "--since", "7d", "--csv")).out).toMatch(
    /^at,model,requests,.*\r\n[^,]+,m,1,0,30,0,12,/,
  );
  expect((await run("usage", "--key", "ci", "--json")).out).toContain('"key_name": "ci"');

  const rotated = await run("keys", "rotate", "ci", "--overlap", "1h");
  expect(rotated.err).toContain("The former key is accepted until");
  const next = rotated.out.trim();
  expect([await statusFor(url, key), await statusFor(url, next)]).toEqual([200, 200]);
  // A pasted key stands for itself, and its secret is not sent.
  expect((await run("keys", "show", next)).out).toMatch(/name +ci\n/);

  expect(await run("keys", "revoke", "ci")).toMatchObject({ code: 0, err: expect.stringContaining("Revoked the key") });
  expect([await statusFor(url, key), await statusFor(url, next)]).toEqual([401, 401]);
  const again = await run("keys", "revoke", "ci");
  expect([again.code, again.out]).toEqual([0, ""]);
  expect(again.err).toMatch(
    /^Nothing has changed: the key 'ci' .* was already revoked at \d{4}-.*Z by admin-key:1\.\n$/,
  );
  expect((await run("keys", "list")).err).toContain("There are no valid keys");
  expect((await run("keys", "list", "--name", "ci")).err).toContain("There are no such keys");
  expect((await run("keys", "list", "--all")).out).toContain("revoked");
  const audit = await run("audit", "--what", "key.revoke");
  expect(audit.out).toMatch(/admin-key:1 +127\.0\.0\.1 +key\.revoke +[0-9a-z]{12} +name=ci/);
}, 90_000);

test("a command that cannot do its work says what to do, and repeats no key", async () => {
  const empty = directory();
  const secret = "mk_0123456789ab_thisIsTheSecretPartOfSomeKey1234_check0";
  const cases: readonly (readonly [Env, readonly string[], number, string])[] = [
    [{}, ["keys"], 78, "create <name>"],
    [{}, ["keys", secret], 78, "Unknown action"],
    [{}, ["keys", "creat", "ci"], 78, "Unknown action. Did you mean create?"],
    [{}, ["keys", "list", secret], 78, "The command takes no arguments, only flags."],
    [{}, ["keys", "show", "ada", "lovelace"], 78, "Put quotes around a name with blanks"],
    [{}, ["join-token", "revoke"], 78, "An argument is missing."],
    [{}, ["keys", "create"], 78, "moorage keys create <name>"],
    [{}, ["keys", "show"], 78, "Usage: moorage keys show <key>"],
    [{}, ["keys", "create", "ci", "--paralel", "4"], 78, "--parallel"],
    [{}, ["keys", "list", "--server", "ftp://x"], 78, "must be a URL"],
    [{}, ["keys", "list", "--server", "http://127.0.0.1:1"], 1, "No server answers at http://127.0.0.1:1"],
    [{}, ["keys", "list", "--data-dir", empty], 78, "There is no moorage.db"],
    [{ PORT: "x" }, ["keys", "list"], 78, "Give its URL with --server"],
    [{ DATA_DIR: empty }, ["keys", "create", "ci", "--weight", "1000"], 1, "--weight must be a number"],
    [{ DATA_DIR: empty }, ["keys", "create", "ci", "--max-waiting", "many"], 1, "--max-waiting must be a whole number"],
    [{ DATA_DIR: empty }, ["join-token", "create", "--uses", "0"], 1, "--uses must be a whole number"],
    [
      { DATA_DIR: empty },
      ["keys", "create", "ci", "--expires-in", "90"],
      78,
      "--expires-in must be a duration with its",
    ],
    [
      { DATA_DIR: empty },
      ["keys", "rotate", "ci", "--overlap", "48"],
      78,
      "--overlap must be a duration with its unit",
    ],
    [{ DATA_DIR: empty }, ["usage", "--csv", "--json"], 78, "--csv or --json"],
    [{ DATA_DIR: empty }, ["keys", "revoke", "nobody"], 1, "No key has this name"],
    [{ DATA_DIR: empty }, ["join-token", "revoke", "nobody"], 1, "No join token has this name"],
    [
      { DATA_DIR: empty },
      ["keys", "create", "ci", "--user-header", "Cookie"],
      1,
      "--user-header must be a header that",
    ],
    [{ DATA_DIR: empty }, ["keys", "create", "ci", "--expires-at", "2020-01-01T00:00:00Z"], 1, "must be in the future"],
    [{ DATA_DIR: empty }, ["keys", "create", "ci", "--timezone", "Mars/Olympus"], 1, "--timezone must be the name of"],
    [{ DATA_DIR: empty }, ["usage", "--since", "soon"], 78, "--since must be a duration"],
  ];
  for (const [env, args, code, says] of cases) {
    const result = await moorage(env, ...args);
    expect({ args: args.length, code: result.code, out: result.out }).toEqual({ args: args.length, code, out: "" });
    expect(result.err).toContain(says);
    expect(result.err).not.toContain("thisIsTheSecret");
  }
}, 90_000);

test("a second key of the same name gets a warning, and commands then need an id", async () => {
  const env = { DATA_DIR: directory() };
  const first = await moorage(env, "keys", "create", "ci");
  expect(first.err).not.toContain("same name");
  const id = first.out.split("_")[1] ?? "";
  const second = await moorage(env, "keys", "create", "ci");
  expect(second).toMatchObject({
    code: 0,
    err: expect.stringContaining(`Other valid keys have the same name: ${id}.`),
  });
  expect(await moorage(env, "keys", "show", "ci")).toMatchObject({ code: 1, err: expect.stringContaining(id) });
  expect((await moorage(env, "keys", "revoke", id)).code).toBe(0);
  expect((await moorage(env, "keys", "show", "ci")).out).toContain(second.out.split("_")[1] ?? "no id");
}, 60_000);

test("a command that finds the directory of a running server but cannot reach it says so", async () => {
  const data = directory();
  await serve({ DATA_DIR: data });
  const result = await moorage({ DATA_DIR: data, PORT: "1" }, "keys", "list");
  expect(result).toMatchObject({ code: 1, err: expect.stringContaining(`A server uses ${data}, but none answers at`) });
}, 60_000);

test("a server that is no Moorage server, or is one below another path, is reported as that", async () => {
  const other = Bun.serve({
    port: 0,
    fetch: () => Response.json({ error: { code: 404, message: "File Not Found" } }, { status: 404 }),
  });
  ends.push(() => other.stop(true));
  const { code, err } = await moorage({}, "keys", "list", "--server", other.url.href);
  expect([code, err]).toEqual([1, expect.stringContaining("not like a Moorage server")]);
  const { url } = await serve({ ADMIN_KEY });
  const below = await moorage({ ADMIN_KEY }, "keys", "list", "--server", `${url}/v1`);
  expect([below.code, below.err]).toEqual([1, expect.stringContaining("Leave out the path")]);
}, 60_000);

test("a command ends silently if the reader of its output has left, and says why if it cannot write", async () => {
  const env = { PATH: process.env["PATH"] ?? "", DATA_DIR: directory() };
  await moorage(env, "keys", "create", "ci");
  const listTo = async (to: string) => {
    // The reader of 3 has left before the program starts, so that the write finds nobody.
    const script = `exec 3> >(true); wait $!; "$0" src/cli/main.ts keys list ${to}; echo $? >&2`;
    const child = Bun.spawn(["bash", "-c", script, process.execPath], {
      cwd: ROOT,
      env,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    return child.stderr.text();
  };
  expect(await listTo(">&3")).toBe("141\n");
  if (process.platform === "linux")
    expect(await listTo(">/dev/full")).toBe("Standard output cannot be written (ENOSPC).\n1\n");
}, 60_000);

test("a server without DATA_DIR refuses to create keys, and lists those of its file", async () => {
  const file = join(directory(), "keys.yaml");
  const hash = "3f0c2bf1c7e05f29a4b3c5c9f1b1f7a6a0f7b1a5c2d3e4f5061728394a5b6c7d";
  writeFileSync(file, `keys:\n  - { name: ci, key: "sha256:${hash}" }\n`);
  const { url } = await serve({ KEYS_FILE: file, ADMIN_KEY });
  const run = (...args: string[]) => moorage({ ADMIN_KEY }, ...args, "--server", url);
  expect(await run("keys", "create", "x")).toMatchObject({ code: 1, err: expect.stringContaining("Set DATA_DIR") });
  expect((await run("keys", "list")).out).toContain("file:ci");
  expect(await run("keys", "revoke", "ci")).toMatchObject({ code: 1, err: expect.stringContaining("KEYS_FILE") });
}, 60_000);

test.each(["keys", "usage", "mcp", "audit"])(
  "moorage %s --help says how it is called and where it acts",
  async (command) => {
    const { out, code } = await moorage({}, command, "--help");
    expect(out).toContain(`Usage: moorage ${command}`);
    expect(out).toContain("ADMIN_KEY");
    expect(code).toBe(0);
  },
);

test("limits of tenants are set, changed one by one and removed, with and without a running server", async () => {
  const data = join(directory(), "data");
  const alone = (...args: string[]) => moorage({ DATA_DIR: data }, "tenants", ...args);
  const set = await alone("limits", "research", "--parallel", "8", "--tokens-per-day", "5M");
  expect(set).toMatchObject({ code: 0, out: expect.stringMatching(/parallel +0 +8\ntokens_per_day +0 +5000000/) });
  const { url } = await serve({ DATA_DIR: data, ADMIN_KEY });
  const run = (...args: string[]) => moorage({ ADMIN_KEY, SERVER_URL: url }, "tenants", ...args);
  expect((await run("list")).out).toMatch(
    /TENANT +LIMITS .*\nresearch +parallel 0\/8, tokens_per_day 0\/5000000 .* cli\n/,
  );
  const changed = await run("limits", "research", "--parallel", "none", "--timezone", "Europe/Berlin");
  expect(changed.out).toMatch(/^LIMIT .*\ntokens_per_day .*\n\ntimezone +Europe\/Berlin\n$/);
  expect((await run("limits", "research", "--tokens-per-day", "none")).out).toBe("No limits.\n");
  expect(await run("list")).toMatchObject({ code: 0, out: "", err: expect.stringContaining("No tenant has limits") });
  await run("limits", "art", "--parallel", "1");
  expect((await run("remove", "art")).err).toBe("Removed the limits of the tenant 'art'.\n");
  expect(await run("remove", "art")).toMatchObject({ code: 1, err: expect.stringContaining("No tenant") });
  expect(await run("limits", "art", "--parallel", "many")).toMatchObject({ code: 1 });
}, 60_000);

test("join tokens are made, listed and revoked, and say what to start on the worker's machine", async () => {
  const { url } = await serve({ DATA_DIR: directory(), ADMIN_KEY });
  const run = (...args: string[]) => moorage({ ADMIN_KEY, SERVER_URL: url }, "join-token", ...args);
  const made = await run("create", "rack", "--models", "llama*", "--uses", "2", "--ttl", "10m");
  const token = made.out.trim();
  expect(token).toMatch(/^mj_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
  expect(made.err).toContain("It lets 2 workers in, until ");
  expect(made.err).toContain(`moorage worker llm --server ${url} --join TOKEN`);
  expect(made.err).not.toContain(token);
  const worker = await NativeWorker.connect({ url, register: { join_token: token, worker_id: "gpu" } });
  const listed = (await run("list")).out;
  expect(listed).toContain("1 of 2");
  expect(listed).toContain("llama*");
  const [shown] = (JSON.parse((await run("list", "--json")).out) as { data: { expires_at: string }[] }).data; // our own JSON
  expect(Date.parse(shown?.expires_at ?? "") - Date.now()).toBeLessThanOrEqual(600_000);
  expect((await run("revoke", token)).err).toContain("It lets no worker in any more");
  expect((await run("list")).err).toContain("no valid join tokens");
  expect((await run("list", "--all")).out).toContain("revoked");
  expect(worker.socket.readyState).toBe(WebSocket.OPEN);
  const late = new NativeWorker({ url, register: { join_token: token, worker_id: "late" } });
  expect((await late.closed).reason).toBe("join token revoked");

  const usual = await run("create");
  expect(usual.err).toContain("It lets one worker in, until ");
  const { err } = await run("create", "--uses", "none", "--ttl", "none");
  expect(err).toContain("It lets any number of workers in, until it is revoked.");
  expect(await run("create", "--ttl", "soon")).toMatchObject({
    code: 78,
    err: expect.stringContaining("--ttl must be"),
  });
  const trail = (await moorage({ ADMIN_KEY, SERVER_URL: url }, "audit", "--json")).out;
  expect(trail).toContain("worker.join");
  const keys = (await moorage({ ADMIN_KEY, SERVER_URL: url }, "keys", "list", "--kind", "worker")).out;
  expect(keys).toContain("gpu");
}, 60_000);
