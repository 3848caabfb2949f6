import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

const OTHER_KEY = "another-client-key";
const backend = startBackend(() => Response.json({}), { models: ["m"] });
afterAll(() => backend.stop());

let server: TestServer;
let directory: { readonly path: string; remove(): void };
let workers: Worker[];
beforeEach(() => {
  server = new TestServer({ plugins: ["llm", "mcp"], clientKeys: [CLIENT_KEY, OTHER_KEY] });
  directory = temporaryDirectory();
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await server.stop();
  directory.remove();
});

function start(overrides: Partial<WorkerSettings> = {}): Worker {
  const settings = {
    server: server.url,
    backend: backend.url,
    clientKeys: [CLIENT_KEY],
    stateFile: join(directory.path, "moorage/worker.json"),
    ...overrides,
  };
  const worker = startTestWorker(settings);
  workers.push(worker);
  return worker;
}

/** Starts a worker, ends it when it is registered, and returns its ids. */
async function run(overrides: Partial<WorkerSettings> = {}): Promise<readonly string[]> {
  const worker = start(overrides);
  const ids = await worker.registered;
  await worker.stop();
  return ids;
}

test("a worker is the same one to the server after a restart, and so is its relay", async () => {
  const mcp = { kinds: ["llm", "mcp"], mcpUrl: `${backend.url}/mcp` };
  const ids = await run(mcp);
  expect(await run(mcp)).toEqual(ids);
  expect(new Set(ids).size).toBe(1);
});

test("two workers on one machine are two to the server, and none throws out the other", async () => {
  const [one, two] = [start({ name: "a" }), start({ name: "b" })];
  const ids = [...(await one.registered), ...(await two.registered)];
  expect(new Set(ids).size).toBe(2);
  const known = (await server.state()).workers.map(({ id }) => id);
  expect(known.sort()).toEqual(ids.sort());
});

test("a worker that comes back with another key takes another id, and keeps that one", async () => {
  const [id] = await run();
  const [next] = await run({ clientKeys: [OTHER_KEY] });
  expect(next).not.toBe(id ?? "");
  expect(await run({ clientKeys: [OTHER_KEY] })).toEqual([next ?? ""]);
});

test("of two machines with the same state, one takes another id", async () => {
  const [id = ""] = await run();
  const copy = temporaryDirectory();
  try {
    const stateFile = join(copy.path, "moorage/worker.json");
    await Bun.write(stateFile, Bun.file(join(directory.path, "moorage/worker.json")));
    const first = start();
    await first.registered;
    const second = start({ stateFile });
    expect(await second.registered).toEqual([id]);
    // The first one was thrown out, and does not throw out the second in turn.
    const ids = async (): Promise<readonly string[]> => (await server.state()).workers.map((worker) => worker.id);
    await eventually(async () => (await ids()).length === 2, "both are registered");
    const both = await ids();
    expect(both).toHaveLength(2);
    expect(both).toContain(id);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(both).toContain((await run())[0] ?? "");
  } finally {
    copy.remove();
  }
});
