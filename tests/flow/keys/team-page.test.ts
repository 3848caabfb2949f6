import { afterEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NativeWorker } from "../../support/native-worker.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const PAGE = readFileSync(join(ROOT, "docs/teams.md"), "utf8");
const PEOPLE = 30;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The commands of the page, by the heading above them. */
const blocks = new Map(
  PAGE.split(/^## /m).map((section) => {
    const commands = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);
    return [section.slice(0, section.indexOf("\n")), commands] as const;
  }),
);

test("the commands of docs/teams.md lead from nothing to thirty keys, and through what comes afterwards", async () => {
  const directory = temporaryDirectory();
  ends.push(() => directory.remove());
  const cli = `${process.execPath} ${join(ROOT, "src/cli/main.ts")}`;
  let url = "";
  const sh = async (heading: string, at: number, exports = ""): Promise<string> => {
    const text = blocks.get(heading)?.[at];
    if (text === undefined) throw new Error(`the page has no such commands: ${heading} ${at}`);
    const script = `set -eu\n${exports}${text}`
      .replaceAll("bun run --silent moorage", cli)
      .replaceAll("https://your-server.example", url);
    const child = Bun.spawn(["bash", "-c", script], {
      cwd: directory.path,
      env: { PATH: process.env["PATH"] ?? "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ heading, code, err: code === 0 ? "" : err }).toEqual({ heading, code: 0, err: "" });
    return out;
  };
  const read = (name: string): string => readFileSync(join(directory.path, name), "utf8").trim();

  await sh("Before the server starts", 0);
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOST: "127.0.0.1",
    PORT: "0",
    DATA_DIR: join(directory.path, "moorage-data"),
    START_GRACE: "0s",
  };
  const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
  ends.push(() => run.stop());
  url = await run.url();
  const statusFor = async (key: string): Promise<number> =>
    (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
  expect(await statusFor("")).toBe(401);
  await expect(NativeWorker.connect({ url, register: { models: ["m"] } })).rejects.toThrow();
  const worker = await NativeWorker.connect({ url, register: { join_token: read("gpu-1.token"), models: ["m"] } });

  const settings = blocks
    .get("Before the server starts")?.[1]
    ?.split("\n")[0]
    ?.replace("https://your-server.example", url);
  const exports = `${settings}\n`;
  expect(await sh("Before the server starts", 1)).toContain("first-try");
  const people = Array.from({ length: PEOPLE }, (_, at) => `${at === 0 ? "ada" : `person-${at}`},team-${at % 3}`);
  writeFileSync(join(directory.path, "people.csv"), `${people.join("\n")}\n`);
  await sh("Thirty keys", 0, exports);
  const made = read("keys.csv");
  await sh("Thirty keys", 0, exports);
  expect(read("keys.csv")).toBe(made);
  const keys = made.split("\n").map((line) => line.split(",")[1] ?? "");
  expect(new Set(keys).size).toBe(PEOPLE);
  for (const key of keys) expect(await statusFor(key)).toBe(200);
  expect(JSON.parse(await sh("Thirty keys", 1, exports))).toMatchObject({ name: "first-try", limits: {} });

  const [ada = ""] = keys;
  const chat = fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ada}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [] }),
  });
  worker.answerJson((await worker.request()).id, { choices: [], usage: { prompt_tokens: 30, completion_tokens: 12 } });
  expect((await chat).status).toBe(200);
  expect(await sh("Who gets how much", 0, exports)).toMatch(
    /class +interactive[\s\S]*parallel +0 +8\n\ntimezone +Europe\/Berlin\n$/,
  );
  const used = await sh("Who used what", 0, exports);
  expect(used).toMatch(/ada \([0-9a-z]{12}\) +1 +0 +30 +0 +12/);
  expect(used).toContain("key.create");
  expect(read("november.csv")).toMatch(/,ada,m,1,0,30,0,12,/);
  await sh("When something happens", 0, exports);
  expect([await statusFor(ada), await statusFor(read("ada.key"))]).toEqual([200, 200]);
  expect(await statusFor(read("first-try.key"))).toBe(401);
  await run.stop();

  await sh("Keys in a repository instead", 0);
  const file = new ProgramRun(
    [process.execPath, "src/main.ts"],
    { ...env, DATA_DIR: "", KEYS_FILE: join(directory.path, "keys.yaml") },
    ROOT,
  );
  ends.push(() => file.stop());
  url = await file.url();
  expect(read("keys.csv").split("\n")).toHaveLength(PEOPLE);
  for (const line of read("keys.csv").split("\n")) expect(await statusFor(line.split(",")[1] ?? "")).toBe(200);
  expect([await statusFor(""), await statusFor(ada)]).toEqual([401, 401]);
}, 240_000);
