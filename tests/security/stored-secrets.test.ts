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
