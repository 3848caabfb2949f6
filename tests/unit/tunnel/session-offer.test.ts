import { expect, test } from "bun:test";
import { capacityOf } from "../../../src/tunnel/session.ts";
import { control, OFFER, startNativeSession as start } from "../../support/native-session.ts";

test("a status_update changes the fields that it has and keeps the others", () => {
  const { session, told } = start();
  session.handleMessage(control({ type: "status_update", max_concurrency: 5 }));
  expect(session.offer).toEqual({ ...OFFER, maxConcurrency: 5 });
  session.handleMessage(control({ type: "status_update", models: ["b", "b", "c"], embedding_batch_size: 32 }));
  expect(session.offer).toEqual({ ...OFFER, maxConcurrency: 5, models: ["b", "c"], embeddingBatchSize: 32 });
  expect(told).toEqual(["offer", "offer"]);
});

test.each([
  ["idle", "ready", 2],
  ["working", "ready", 2],
  ["not_ready", "not_ready", 0],
  ["draining", "draining", 0],
] as const)("a worker that reports %s counts as %s with room for %d", (reported, status, capacity) => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: reported, reason: "so" }));
  expect(session.offer).toMatchObject({ status, reason: "so" });
  expect(capacityOf(session.offer)).toBe(capacity);
});

test("a status_update without a reason removes the old one", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: "not_ready", reason: "backend down" }));
  session.handleMessage(control({ type: "status_update", status: "idle" }));
  expect(session.offer.reason).toBeUndefined();
});

test("a draining worker that only updates its slots is still draining", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: "draining", max_concurrency: 0 }));
  session.handleMessage(control({ type: "status_update", max_concurrency: 3 }));
  expect(capacityOf(session.offer)).toBe(0);
});

test("an embedding_batch_size of 0 is ignored", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", embedding_batch_size: 0 }));
  session.handleMessage(control({ type: "status_update", agent_config: { embedding_batch_size: "many" } }));
  expect(session.offer.embeddingBatchSize).toBe(8);
});

test("a status_update adds facts about the host", () => {
  const { session } = start();
  session.handleMessage(
    control({ type: "status_update", agent_config: { backend_version: "0.9", embedding_batch_size: "32" } }),
  );
  expect(session.worker.hostInfo).toMatchObject({ backend_version: "0.9" });
  expect(session.offer.embeddingBatchSize).toBe(32);
  session.handleMessage(control({ type: "status_update", agent_config: { backend_version: "1.0", os_name: "linux" } }));
  expect(session.worker.hostInfo).toMatchObject({ backend_version: "1.0", os_name: "linux" });
});

test("at most 32 facts about a host are kept, however many a worker sends", () => {
  const { session } = start();
  for (let count = 0; count < 100; count += 1)
    session.handleMessage(control({ type: "status_update", agent_config: { [`fact_${count}`]: "x" } }));
  expect(Object.keys(session.worker.hostInfo).length).toBe(32);
});

test("a worker's announced kinds of exchange stay announced, whatever else it reports", () => {
  const { session } = start(undefined, { ...OFFER, exchangeKinds: ["http", "made_up"] });
  session.handleMessage(control({ type: "status_update", max_concurrency: 5 }));
  session.handleMessage(control({ type: "models_update", models: ["b"] }));
  expect(session.offer.exchangeKinds).toEqual(["http", "made_up"]);
});

test("a models_update changes the models alone", () => {
  const { session, told } = start();
  session.handleMessage(control({ type: "models_update", models: [] }));
  expect(session.offer).toEqual({ ...OFFER, models: [] });
  expect(told).toEqual(["offer"]);
});

test("what is said of models counts until the next list of models, and no longer", () => {
  const info = [{ id: "b", context_length: 4096 }];
  const { session } = start();
  session.handleMessage(control({ type: "models_update", models: ["b"], model_info: info }));
  expect(session.offer.modelInfo).toEqual(info);
  session.handleMessage(control({ type: "status_update", max_concurrency: 1 }));
  expect(session.offer.modelInfo).toEqual(info);
  session.handleMessage(control({ type: "status_update", models: ["b"] }));
  expect(session.offer).not.toHaveProperty("modelInfo");
});

test("what is said of loaded models counts until it is said again or the models change", () => {
  const { session } = start(undefined, { ...OFFER, models: ["a", "b"] });
  expect(session.offer).not.toHaveProperty("loaded");
  session.handleMessage(control({ type: "status_update", loaded: ["b", "b"] }));
  expect(session.offer).toMatchObject({ models: ["a", "b"], loaded: ["b"] });
  session.handleMessage(control({ type: "status_update", max_concurrency: 1 }));
  expect(session.offer.loaded).toEqual(["b"]);
  session.handleMessage(control({ type: "status_update", loaded: [] }));
  expect(session.offer.loaded).toEqual([]);
  session.handleMessage(control({ type: "models_update", models: ["b", "c"], loaded: ["c"] }));
  expect(session.offer.loaded).toEqual(["c"]);
  session.handleMessage(control({ type: "models_update", models: ["b", "c"] }));
  expect(session.offer).not.toHaveProperty("loaded");
});

test("loaded models that the worker does not offer are left out", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", loaded: ["a", "other"] }));
  expect(session.offer.loaded).toEqual(["a"]);
  session.handleMessage(control({ type: "status_update", models: ["b"], loaded: ["a", "b"] }));
  expect(session.offer.loaded).toEqual(["b"]);
});

test("a heartbeat is a sign of life with the machine's load, and does not change the offer", () => {
  const { session, clock, told } = start();
  expect(session.lastHeartbeatAt).toBe(clock.now());
  clock.advance(5000);
  session.handleMessage(control({ type: "heartbeat", ts: 1, host_cpu_percent: 12.5, host_ram_used_percent: null }));
  expect(session.lastHeartbeatAt).toBe(clock.now());
  expect(session.telemetry).toEqual({ cpuPercent: 12.5, ramUsedPercent: undefined });
  expect(told).toEqual([]);
});

test("a worker that was told to leave counts as draining at once, whatever it reports afterwards", () => {
  const { session, sent, told } = start();
  session.sendDrain("the server is shutting down", 0);
  session.sendDrain("the server is shutting down", 0);
  expect(sent).toHaveLength(2);
  expect([capacityOf(session.offer), told]).toEqual([0, ["offer"]]);
  session.handleMessage(control({ type: "status_update", status: "idle", max_concurrency: 3 }));
  expect(session.offer).toMatchObject({ status: "draining", maxConcurrency: 3 });
});
