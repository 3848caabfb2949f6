import { afterEach, expect, test } from "bun:test";
import { configuredKeys, type KeySource } from "../../../src/auth/keys.ts";
import { eventually } from "../../support/eventually.ts";
import { inboxLog } from "../../support/inbox-log.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker, type TestWorkerOptions } from "../../support/test-worker.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function startServer(
  clientKeys: readonly string[],
  port = 0,
  keys?: ConstructorParameters<typeof TestServer>[3],
): TestServer {
  const server = new TestServer({ clientKeys, port }, {}, undefined, keys);
  ends.push(() => server.stop());
  return server;
}

function startGpu(server: TestServer, clientKeys: readonly string[], options: TestWorkerOptions = {}) {
  const backend = startBackend(() => Response.json({}));
  const worker = startTestWorker({ server: server.url, backend: backend.url, clientKeys, id: "gpu" }, options);
  ends.push(
    () => backend.stop(),
    () => worker.stop(),
  );
  return worker;
}

/** Resolves when the server has exactly the worker `gpu`. */
const hasGpu = (server: TestServer): Promise<unknown> =>
  eventually(async () => (await server.state()).workers.map(({ id }) => id).join() === "gpu", "the worker is there");

test("a worker with a fixed id keeps it while its key is replaced, if it names both keys", async () => {
  const server = startServer(["new", "old"]);
  const before = startGpu(server, ["old"]);
  await before.registered;
  await before.stop();
  const { log, lines } = inboxLog();
  startGpu(server, ["new"], { log });
  const refusal = await lines.takeUntil(({ event }) => event === "link.refused", "the new key alone is refused");
  expect(String(refusal["hint"])).toContain("CLIENT_KEY=new,old");
  expect(String(refusal["hint"])).toContain("remove the old one from the server");
  expect(await startGpu(server, ["new", "old"]).registered).toEqual(["gpu"]);
  // The id now belongs to the new key, so the old one does not get it back.
  const late = new NativeWorker({ url: server.url, register: { client_key: "old", worker_id: "gpu" } });
  expect((await late.closed).reason).toStartWith("id in use");
});

test("a worker with both keys takes over from the one that is still connected with the old key", async () => {
  const server = startServer(["new", "old"]);
  const before = new NativeWorker({ url: server.url, register: { client_key: "old", worker_id: "gpu" } });
  await before.registered();
  startGpu(server, ["new", "old"]);
  expect((await before.closed).reason).toBe("replaced");
  await hasGpu(server);
});

test("a worker with both keys connects to a server that knows only the old one, and keeps its id when it learns the new one", async () => {
  const first = startServer(["old"]);
  const worker = startGpu(first, ["new", "old"]);
  expect(await worker.registered).toEqual(["gpu"]);
  const port = Number(new URL(first.url).port);
  for (const clientKeys of [["new", "old"], ["new"]]) {
    await ends.splice(0, 1)[0]?.();
    const next = new TestServer({ clientKeys, port });
    ends.unshift(() => next.stop());
    await hasGpu(next);
  }
});

test("a worker with both keys gets in at a server that does not read the previous key", async () => {
  const keys: unknown[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request, { headers: { "sec-websocket-protocol": "moorage.v1" } }) ? undefined : new Response(),
    websocket: {
      message(socket, message) {
        const { client_key } = JSON.parse(String(message)) as { client_key?: unknown }; // the worker's own registration
        keys.push(client_key);
        if (client_key !== "old") return socket.close(1008, "unauthorized");
        socket.send(
          JSON.stringify({
            type: "registered",
            worker_id: "gpu",
            session_id: "s",
            window: 1024,
            max_frame: 1024 * 1024,
            ping_interval_ms: 15_000,
          }),
        );
      },
    },
  });
  ends.push(() => server.stop(true));
  const backend = startBackend(() => Response.json({}));
  const worker = startTestWorker({
    server: `http://127.0.0.1:${server.port}`,
    backend: backend.url,
    clientKeys: ["new", "old"],
    id: "gpu",
  });
  ends.push(
    () => backend.stop(),
    () => worker.stop(),
  );
  expect(await worker.registered).toEqual(["gpu"]);
  expect(keys).toEqual(["new", "old"]);
});

test("a legacy agent gets its id with another key once the server has its old key no more", async () => {
  let known = ["new", "old"];
  const server = startServer([], 0, (config) => {
    const client = (): KeySource => configuredKeys({ ...config, clientKeys: known }).client;
    const changing: KeySource = {
      isEmpty: false,
      find: (hash) => client().find(hash),
      hasOwner: (owner) => client().hasOwner(owner),
    };
    return { ...configuredKeys(config), client: changing };
  });
  const before = new LegacyWorker({
    url: server.url,
    register: { client_key: "old", worker_id: "gpu", models: ["m"] },
  });
  await hasGpu(server);
  before.close();
  await eventually(async () => (await server.state()).workers.length === 0, "the agent is gone");
  const early = new LegacyWorker({ url: server.url, register: { client_key: "new", worker_id: "gpu", models: ["m"] } });
  expect((await early.closed).reason).toStartWith("id in use");
  known = ["new"];
  new LegacyWorker({ url: server.url, register: { client_key: "new", worker_id: "gpu", models: ["m"] } });
  await hasGpu(server);
});
