import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");
const WRITER = join(import.meta.dir, "../support/usage-writer.ts");
/** Set KILLS=100 for the whole trial. */
const KILLS = Number(process.env["KILLS"] ?? 5);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function directory(): string {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  return made.path;
}

/** Returns the requests and tokens of each table, and what SQLite says of the file. */
function readStore(path: string): { readonly sums: readonly (readonly number[])[]; readonly integrity: unknown } {
  const db = new Database(join(path, "moorage.db"));
  const sums = ["minute", "hour", "day"].map((step) => {
    const query = `SELECT coalesce(sum(requests), 0), coalesce(sum(input), 0), coalesce(sum(output), 0) FROM usage_${step}`;
    return db.query(query).values()[0]?.map(Number) ?? [];
  });
  const integrity = db.query("PRAGMA integrity_check").values()[0]?.[0];
  db.close();
  return { sums, integrity };
}

/** Returns how many requests must be in the store after the kill, and how many may be. */
async function writeAndKill(path: string): Promise<{ readonly certain: number; readonly possible: number }> {
  const writer = Bun.spawn([process.execPath, WRITER, path], { stdout: "pipe", stderr: "inherit" });
  let [text, isKilling] = ["", false];
  for await (const chunk of writer.stdout) {
    text += Buffer.from(chunk).toString();
    if (isKilling || !/^[1-9]\d* /m.test(text)) continue;
    isKilling = true;
    // It flushes every 20 ms, so this falls into any part of a flush and of the time between two of them.
    setTimeout(() => writer.kill("SIGKILL"), Math.random() * 100);
  }
  await writer.exited;
  const [certain = 0, possible = 0] = text.split("\n").at(-2)?.split(" ").map(Number) ?? [];
  return { certain, possible };
}

test(
  "a process that is killed while it writes usage loses at most what came since the last flush, and no file is damaged",
  async () => {
    const path = directory();
    let base = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { certain, possible } = await writeAndKill(path);
      const { sums, integrity } = readStore(path);
      expect(integrity).toBe("ok");
      const [requests = 0] = sums[0] ?? [];
      // Every request used three tokens of input and one of output, in each table.
      expect(sums).toEqual([0, 1, 2].map(() => [requests, 3 * requests, requests]));
      expect(requests - base).toBeGreaterThanOrEqual(certain);
      expect(requests - base).toBeLessThanOrEqual(possible);
      base = requests;
    }
    expect(base).toBeGreaterThan(0);
  },
  10_000 + KILLS * 3000,
);

test("usage is there after the server was killed, and all of it after the server was stopped", async () => {
  const env = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    HOST: "127.0.0.1",
    API_KEY: "api",
    CLIENT_KEY: "client",
    DATA_DIR: join(directory(), "data"),
    USAGE_FLUSH: "100ms",
  };
  const headers = { authorization: "Bearer api", "content-type": "application/json" };
  const start = async () => {
    const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
    ends.push(() => run.stop());
    const url = await run.url();
    const worker = await NativeWorker.connect({ url, register: { client_key: "client", models: ["m"] } });
    const chat = async (): Promise<void> => {
      const body = JSON.stringify({ model: "m", messages: [] });
      const answer = fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
      const usage = { prompt_tokens: 7, completion_tokens: 2 };
      worker.answerJson((await worker.request()).id, { choices: [], usage });
      expect((await answer).status).toBe(200);
    };
    const usage = async (): Promise<unknown> => {
      const answer = (await (await fetch(`${url}/api/usage?by=key&step=day`, { headers })).json()) as {
        rows: object[];
      }; // held by the assertions
      return answer.rows;
    };
    return { run, chat, usage };
  };
  const isWritten = (): boolean => readStore(env.DATA_DIR).sums[0]?.[0] === 1;

  const first = await start();
  await first.chat();
  await eventually(isWritten, "the first request is written");
  first.run.kill();
  await first.run.exited;
  const second = await start();
  expect(await second.usage()).toMatchObject([{ key: "api-key:1", requests: 1, input_tokens: 7, output_tokens: 2 }]);
  await second.chat();
  expect(await second.run.stop()).toBe(0);
  const third = await start();
  expect(await third.usage()).toMatchObject([{ key: "api-key:1", requests: 2, input_tokens: 14, output_tokens: 4 }]);
}, 30_000);
