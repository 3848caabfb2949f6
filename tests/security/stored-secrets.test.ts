import { afterEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");
const API_KEY = "api-key-that-nobody-may-find";
const ADMIN_KEY = "admin-key-that-nobody-may-find";
const CLIENT_KEY = "client-key-that-nobody-may-find";
const WRONG = "wrong-key-that-is-somebodys";
const PROMPT = "the-prompt-is-mine";
const ANSWER = "the-answer-is-mine";
const END_USER = "end-user-is-private";
const SECRETS = [API_KEY, ADMIN_KEY, CLIENT_KEY, WRONG, PROMPT, ANSWER, END_USER];

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Returns every file of a directory as text. */
function filesIn(directory: string): Record<string, string> {
  const names = readdirSync(directory);
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name)).toString("latin1")]));
}

test("the text of a made key is in no file of DATA_DIR, no backup, no log line, and no answer but the one that made it", async () => {
  const directory = temporaryDirectory();
  ends.push(() => directory.remove());
  const data = join(directory.path, "data");
  const env = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    HOST: "127.0.0.1",
    LOG_LEVEL: "debug",
    ADMIN_KEY,
    CLIENT_KEY,
    DATA_DIR: data,
    USAGE_FLUSH: "100ms",
    START_GRACE: "0s",
  };
  const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
  ends.push(() => run.stop());
  const url = await run.url();
  const cli = (...args: string[]) => {
    const command = [process.execPath, "src/cli/main.ts", ...args];
    const own = { PATH: env.PATH, ADMIN_KEY, SERVER_URL: url };
    const { stdout, stderr } = Bun.spawnSync(command, { cwd: ROOT, env: own });
    return { out: stdout.toString(), err: stderr.toString() };
  };
  const seen: Record<string, string> = {};
  const texts: string[] = [];
  const note = (where: string, { out, err }: { readonly out: string; readonly err: string }): void => {
    const key = out.trim();
    expect(key).toMatch(/^mk_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
    texts.push(key);
    seen[where] = err;
  };
  note("making a client's key", cli("keys", "create", "ci", "--idempotency-key", "run-1"));
  note("making an admin's key", cli("keys", "create", "root", "--kind", "admin"));
  note("making a worker's key", cli("keys", "create", "gpu", "--kind", "worker"));
  note("a rotation", cli("keys", "rotate", "ci", "--overlap", "1h"));
  const [first = "", admin = "", workerKey = "", second = ""] = texts;

  const worker = await NativeWorker.connect({
    url,
    register: { client_key: workerKey, models: ["m"], worker_id: "w" },
  });
  const send = (key: string, path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url + path, { ...init, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } });
  for (const key of [first, second]) {
    const answered = send(key, "/v1/chat/completions", { method: "POST", body: '{"model":"m","messages":[]}' });
    worker.answerJson((await worker.request()).id, { choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } });
    expect((await answered).status).toBe(200);
  }
  const form = { method: "POST", body: new URLSearchParams({ key: admin }), redirect: "manual" as const };
  expect((await fetch(`${url}/state/sign-in`, form)).headers.get("set-cookie")).not.toBeNull();
  const answer = async (key: string, path: string, init?: RequestInit): Promise<void> => {
    seen[`${init?.method ?? "GET"} ${path}`] = await (await send(key, path, init)).text();
  };
  for (const path of ["/api/keys", "/api/audit", "/api/usage", "/api/state", "/api/state/jobs", "/metrics", "/state"])
    await answer(admin, path);
  await answer(second, "/api/key");
  await answer(second, "/api/keys");
  await answer(workerKey, "/v1/models");
  // What was mistyped, or stands where it should not, is most of a key as well.
  const mistyped = `${second.slice(0, -1)}${second.endsWith("0") ? "1" : "0"}`;
  await answer(mistyped, "/v1/models");
  await answer(admin, `/api/keys/${second}`);
  await answer(admin, `/api/keys?name=${second}&after=${second}`);
  await answer(admin, "/api/keys", {
    method: "POST",
    body: JSON.stringify({ name: "x", [second]: second, kind: second }),
  });
  await answer(admin, "/api/keys", { method: "POST", body: `{"name": ${second}` });
  seen["an unknown word"] = JSON.stringify(cli("keys", second));
  seen["show"] = JSON.stringify(cli("keys", "show", second));
  seen["a revocation"] = JSON.stringify(cli("keys", "revoke", "ci"));
  await answer(second, "/v1/models");

  const backup = join(directory.path, "backup.db");
  const copy = Bun.spawnSync([process.execPath, "src/cli/main.ts", "backup", backup], { cwd: ROOT, env });
  expect(copy.exitCode).toBe(0);
  seen["backup"] = readFileSync(backup).toString("latin1");
  Object.assign(seen, filesIn(data));
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(["moorage.db", "moorage.db-wal", "GET /metrics"]));
  expect(seen["backup"]).toContain('"name":"ci"');
  await run.stop();
  for (const [name, bytes] of Object.entries(filesIn(data))) seen[`${name} after the end`] = bytes;
  seen["log"] = await run.output;
  expect(seen["log"]).toContain("operator.signed_in");

  for (const [where, text] of Object.entries(seen)) {
    // The third part is the secret one; the beginning is shown as a hint.
    const found = [...texts, mistyped].filter((key) => text.includes(key.split("_")[2] ?? key));
    expect(`${where}: ${found.length} keys`).toBe(`${where}: 0 keys`);
  }
}, 60_000);

test("neither a join token, nor a worker's proof or credential, is in a file of DATA_DIR, a backup, a log line or an HTTP answer", async () => {
  const directory = temporaryDirectory();
  ends.push(() => directory.remove());
  const data = join(directory.path, "data");
  const env = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    HOST: "127.0.0.1",
    LOG_LEVEL: "debug",
    ADMIN_KEY,
    DATA_DIR: data,
    USAGE_FLUSH: "100ms",
    START_GRACE: "0s",
  };
  const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
  ends.push(() => run.stop());
  const url = await run.url();
  const cli = (...args: string[]) => {
    const command = [process.execPath, "src/cli/main.ts", ...args];
    const { stdout, stderr } = Bun.spawnSync(command, { cwd: ROOT, env: { ...env, SERVER_URL: url } });
    return { out: stdout.toString(), err: stderr.toString() };
  };
  const seen: Record<string, string> = {};
  const tokenOf = (name: string): string => {
    const { out, err } = cli("join-token", "create", name, "--uses", "1");
    expect(out.trim()).toMatch(/^mj_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
    seen[`creating ${name}`] = err;
    return out.trim();
  };
  const [first, second, mistaken] = [
    tokenOf("rack"),
    tokenOf("again"),
    "mj_000000000000_thisTokenWasNeverMadeByAnybody00_000000",
  ];
  const proofs = ["proof-that-nobody-may-find-0000001", "proof-that-nobody-may-find-0000002"];
  const connect = (register: object): NativeWorker =>
    new NativeWorker({ url, register: { models: ["m"], worker_id: "gpu", worker_name: "rack 3", ...register } });
  const credentialOf = async (worker: NativeWorker): Promise<string> => {
    const credential = String((await worker.registered())["credential"]);
    expect(credential).toMatch(/^mk_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
    return credential;
  };
  const worker = connect({ join_token: first, join_proof: proofs[0] });
  const former = await credentialOf(worker);
  worker.close();
  // A used-up token, one that nobody has made, and a token in the place of a key.
  for (const register of [{ join_token: first }, { join_token: mistaken }, { client_key: first }])
    await connect(register).closed;
  const again = connect({ join_token: second, join_proof: proofs[1], previous_client_key: former });
  const credential = await credentialOf(again);
  again.close();
  await connect({ client_key: credential, previous_client_key: former }).registered();
  expect((await connect({ client_key: former }).closed).reason).toBe("unauthorized");

  const answer = async (path: string, key = ADMIN_KEY): Promise<void> => {
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
    seen[path] = `${seen[path] ?? ""}${await response.text()}`;
  };
  for (const path of ["/api/keys", "/api/audit", "/api/state", "/api/state/jobs", "/api/usage", "/metrics", "/state"])
    await answer(path);
  for (const key of [first, former, credential]) await answer("/v1/models", key);
  seen["keys list"] = JSON.stringify([cli("keys", "list", "--all"), cli("join-token", "list"), cli("audit")]);
  seen["revocations"] = JSON.stringify([cli("keys", "revoke", "rack 3"), cli("join-token", "revoke", "again")]);
  const backup = join(directory.path, "backup.db");
  const copy = Bun.spawnSync([process.execPath, "src/cli/main.ts", "backup", backup], { cwd: ROOT, env });
  expect(copy.exitCode).toBe(0);
  seen["backup"] = readFileSync(backup).toString("latin1");
  Object.assign(seen, filesIn(data));
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(["moorage.db", "moorage.db-wal"]));
  expect(seen["/api/audit"]).toContain("worker.join");
  expect(seen["backup"]).toContain('"name":"rack 3"');
  await run.stop();
  for (const [name, bytes] of Object.entries(filesIn(data))) seen[`${name} after the end`] = bytes;
  seen["log"] = await run.output;
  expect(seen["log"]).toContain("worker.key_replaced");

  const secrets = [
    ...[first, second, mistaken, former, credential].map((text) => text.split("_")[2] ?? text),
    ...proofs,
  ];
  for (const [where, text] of Object.entries(seen))
    expect(`${where}: ${secrets.filter((secret) => text.includes(secret)).length}`).toBe(`${where}: 0`);
}, 60_000);

test("keys, prompts, answers and end users are in no file of DATA_DIR, no backup, and no answer about usage, jobs or audit", async () => {
  const directory = temporaryDirectory();
  ends.push(() => directory.remove());
  const data = join(directory.path, "data");
  const env = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    HOST: "127.0.0.1",
    API_KEY,
    ADMIN_KEY,
    CLIENT_KEY,
    DATA_DIR: data,
    USAGE_FLUSH: "100ms",
    START_GRACE: "0s",
  };
  const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
  ends.push(() => run.stop());
  const url = await run.url();
  const worker = await NativeWorker.connect({
    url,
    register: { client_key: CLIENT_KEY, models: ["m"], worker_id: "w" },
  });

  const chat = (model: string, key = API_KEY): Promise<Response> =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-openwebui-user-id": END_USER,
      },
      body: JSON.stringify({ model, messages: [{ role: "user", content: PROMPT }] }),
    });
  const answered = chat("m");
  const usage = { prompt_tokens: 7, completion_tokens: 2 };
  worker.answerJson((await worker.request()).id, { choices: [{ message: { content: ANSWER } }], usage });
  expect((await answered).status).toBe(200);
  const failing = chat("m");
  worker.answerJson((await worker.request()).id, { error: { message: PROMPT } }, 500);
  expect((await failing).status).toBe(500);
  expect((await chat(PROMPT)).status).toBe(404);
  expect((await chat("m", WRONG)).status).toBe(401);
  const operator = { authorization: `Bearer ${ADMIN_KEY}` };
  await fetch(`${url}/state/sign-in`, { method: "POST", body: `key=${ADMIN_KEY}`, redirect: "manual" });
  await fetch(`${url}/api/state/workers/w/drain`, { method: "POST", headers: operator });

  const seen: Record<string, string> = {};
  for (const path of ["usage?by=key,model,end_user", "state/jobs", "state/jobs?outcome=failed", "audit"])
    seen[path] = await (await fetch(`${url}/api/${path}`, { headers: operator })).text();
  const wal = (): Buffer => readFileSync(join(data, "moorage.db-wal"));
  await eventually(() => wal().includes("model_not_found"), "what failed is written");
  const backup = join(directory.path, "backup.db");
  const command = [process.execPath, "src/cli/main.ts", "backup", backup];
  const { exitCode, stdout } = Bun.spawnSync(command, { cwd: ROOT, env });
  expect(exitCode).toBe(0);
  seen["output of the backup"] = stdout.toString();
  seen["backup"] = readFileSync(backup).toString("latin1");
  for (const file of readdirSync(data)) seen[file] = readFileSync(join(data, file)).toString("latin1");
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(["moorage.db", "moorage.db-wal", "moorage.db-shm"]));

  expect(seen["usage?by=key,model,end_user"]).toContain('"model":"(unknown)"');
  expect(seen["state/jobs"]).toContain('"outcome":"completed"');
  expect(seen["audit"]).toContain('"what":"worker.drain"');
  for (const [where, text] of Object.entries(seen))
    for (const secret of SECRETS) expect(`${where} ${text.includes(secret) ? secret : "clean"}`).toBe(`${where} clean`);
}, 30_000);
