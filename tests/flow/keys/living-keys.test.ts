import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADMIN_KEY = "admin-key-of-the-operator-0123456789";
const OPERATOR = { authorization: `Bearer ${ADMIN_KEY}` };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Shown {
  readonly id: string;
  readonly key: string;
}

/** A server with a store, as a process of its own. */
async function serve(data: string): Promise<{ readonly url: string; readonly run: ProgramRun }> {
  const env = { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: "0", START_GRACE: "0s", ADMIN_KEY };
  const run = new ProgramRun([process.execPath, "src/main.ts"], { ...env, DATA_DIR: data }, ROOT);
  ends.push(() => run.stop());
  return { url: await run.url(), run };
}

function directory(): string {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  return made.path;
}

async function act(url: string, method: string, path: string, body?: object, headers = {}): Promise<Shown> {
  const init = { method, headers: { ...OPERATOR, ...headers }, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(`${url}/api/keys${path}`, init);
  expect(response.ok).toBe(true);
  return (await response.json()) as Shown; // the routes' own tests check this shape
}

const statusFor = async (url: string, key: string): Promise<number> => {
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await response.arrayBuffer();
  return response.status;
};

/** Sends requests with the keys in turn, up to 500 a second, until it is stopped. Returns how many had which status. */
function load(url: string, keys: () => readonly string[]) {
  const counts = new Map<number, number>();
  let isStopped = false;
  let sent = 0;
  const clients = Array.from({ length: 10 }, async () => {
    while (!isStopped) {
      const all = keys();
      sent += 1;
      const status = await statusFor(url, all[sent % all.length] ?? "");
      counts.set(status, (counts.get(status) ?? 0) + 1);
      // Ten clients with 50 requests a second each; a slow machine sends fewer.
      await Bun.sleep(20);
    }
  });
  return {
    counts,
    /** Resolves when so many more requests have been answered. */
    async answered(more: number): Promise<void> {
      const total = (): number => [...counts.values()].reduce((sum, count) => sum + count, 0);
      const goal = total() + more;
      await eventually(() => total() >= goal, `${more} more requests are answered`, 20_000);
    },
    async stop() {
      isStopped = true;
      await Promise.all(clients);
    },
  };
}

test("rotations of a key under load refuse neither secret during the overlap, also over a restart of the server", async () => {
  const data = directory();
  const { url, run } = await serve(data);
  const { id, key } = await act(url, "POST", "", { name: "ci" });
  let keys: readonly string[] = [key];
  const running = load(url, () => keys);
  for (let count = 0; count < 4; count += 1) {
    await running.answered(50);
    const name = { "idempotency-key": `rotation-${count}` };
    const next = await act(url, "POST", `/${id}/rotate`, { overlap: "10m" }, name);
    // The answer was lost, and the request is sent again.
    const again = await act(url, "POST", `/${id}/rotate`, { overlap: "10m" }, name);
    expect(again.key).toBe(next.key);
    keys = [...keys, next.key];
  }
  await running.answered(50);
  await running.stop();
  expect([...running.counts.keys()]).toEqual([200]);

  await run.stop();
  const restarted = await serve(data);
  for (const each of keys) expect(await statusFor(restarted.url, each)).toBe(200);
}, 60_000);

test("a key that is revoked under load is refused within a second, and stays so when the server is killed and starts again", async () => {
  const data = directory();
  const { url, run } = await serve(data);
  const { id, key } = await act(url, "POST", "", { name: "ci" });
  const other = await act(url, "POST", "", { name: "other" });
  const running = load(url, () => [key]);
  await running.answered(50);
  expect([...running.counts.keys()]).toEqual([200]);
  await act(url, "DELETE", `/${id}`);
  // The answer comes once the key is refused: no time is left in which it is not.
  expect(await statusFor(url, key)).toBe(401);
  await running.stop();
  run.kill();
  await run.exited;
  const restarted = await serve(data);
  expect(await statusFor(restarted.url, key)).toBe(401);
  expect(await statusFor(restarted.url, other.key)).toBe(200);
}, 60_000);
