import { afterEach, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

const OTHER_KEY = "another-client-key";

let cluster: ServerCluster;

afterEach(() => cluster.stop());

/** Resolves when a server knows at which other one a worker is. */
async function knows(id: string, workerId: string, serverId: string): Promise<void> {
  await eventually(() => cluster.at(id).cluster.ports.workersOf("llm").serverOf(workerId) === serverId);
}

/** Resolves with the close of a worker that a server does not take. */
function refusal(id: string, register: object): Promise<{ readonly code: number; readonly reason: string }> {
  const { url } = cluster.at(id).server;
  return new NativeWorker({ url, register: { models: ["m"], ...register } }).closed;
}

test("a worker that connects to another server takes its id along, and its older session is closed with 4001", async () => {
  cluster = await ServerCluster.start(["a", "b", "c"]);
  const older = await cluster.at("a").server.worker({ worker_id: "w" });
  await knows("b", "w", "a");
  const newer = await cluster.at("b").server.worker({ worker_id: "w" });
  expect(await older.closed).toMatchObject({ code: 4001, reason: "replaced" });
  await knows("c", "w", "b");
  expect(newer.socket.readyState).toBe(WebSocket.OPEN);
});

test("an id that a worker with another key has at another server is in use, also a moment after it has left", async () => {
  cluster = await ServerCluster.start(["a", "b"], { clientKeys: [CLIENT_KEY, OTHER_KEY] });
  const owner = await cluster.at("a").server.worker({ worker_id: "w" });
  await knows("b", "w", "a");
  const register = { worker_id: "w", client_key: OTHER_KEY };
  const stranger = await refusal("b", register);
  expect(stranger).toMatchObject({ code: 1008 });
  expect(stranger.reason).toStartWith("id in use");
  owner.socket.close();
  await eventually(() => cluster.at("b").cluster.ports.workersOf("llm").serverOf("w") === undefined);
  expect((await refusal("b", register)).reason).toStartWith("id in use");
  // Its owner may connect anywhere.
  await cluster.at("b").server.worker({ worker_id: "w" });
});

test("a worker whose key was replaced proves the old one at whichever server it reaches", async () => {
  cluster = await ServerCluster.start(["a", "b"], { clientKeys: [CLIENT_KEY, OTHER_KEY] });
  const older = await cluster.at("a").server.worker({ worker_id: "w" });
  await knows("b", "w", "a");
  const register = { worker_id: "w", client_key: OTHER_KEY, previous_client_key: CLIENT_KEY };
  await cluster.at("b").server.worker(register);
  expect(await older.closed).toMatchObject({ code: 4001 });
});

test("a session whose worker was told to leave goes on beside the worker's next one", async () => {
  cluster = await ServerCluster.start(["a", "b"]);
  const older = await cluster.at("a").server.worker({ worker_id: "w" });
  await knows("b", "w", "a");
  cluster.at("a").server.app.handOver();
  await cluster.at("b").server.worker({ worker_id: "w" });
  await knows("a", "w", "b");
  expect(older.socket.readyState).toBe(WebSocket.OPEN);
});

test("a legacy agent that shares its name with a living one at another server gets an id of its own", async () => {
  cluster = await ServerCluster.start(["a", "b"]);
  const register = { worker_id: "box", client_key: CLIENT_KEY, models: ["m"] };
  const first = new LegacyWorker({ url: cluster.at("a").server.url, register });
  await knows("b", "box", "a");
  const second = new LegacyWorker({ url: cluster.at("b").server.url, register });
  await knows("a", "box.2", "b");
  expect([first.socket.readyState, second.socket.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
});
