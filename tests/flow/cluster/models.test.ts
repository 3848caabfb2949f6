import { afterEach, expect, test } from "bun:test";
import type { ModelCard } from "../../../src/plugin/contract.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { ServerCluster } from "../../support/server-cluster.ts";

let cluster: ServerCluster;

afterEach(() => cluster.stop());

async function listed(id: string): Promise<readonly ModelCard[]> {
  const response = await cluster.at(id).server.fetch("/v1/models");
  return ((await response.json()) as { data: ModelCard[] }).data; // The schema of the list is tested elsewhere.
}

test("every server lists the models of all servers, with what all their workers say and the same time", async () => {
  cluster = await ServerCluster.start(["a"]);
  // A server that sees the model an hour later, by its clock.
  cluster.add("b", {}, { clock: { ...systemClock, now: () => systemClock.now() + 3_600_000 } });
  await cluster.settled();
  const info = (context_length: number) => ({
    models: ["m"],
    model_info: [{ id: "m", type: "chat", context_length }],
  });
  await cluster.at("a").server.worker({ worker_id: "v", ...info(8192) });
  await cluster.knows("b", "m");
  await cluster.at("b").server.worker({ worker_id: "w", ...info(4096) });
  await eventually(async () => (await listed("a"))[0]?.context_length === 4096);
  const [atA, atB] = [await listed("a"), await listed("b")];
  expect(atB).toEqual(atA);
  expect(atA).toMatchObject([{ id: "m", type: "chat", context_length: 4096 }]);
});

test("a model that only another server has is found by its name", async () => {
  cluster = await ServerCluster.start(["a", "b"]);
  await cluster.at("b").server.worker({ models: ["llama3:8b-q4_0"] });
  await cluster.knows("a", "llama3:8b-q4_0");
  const response = await cluster.at("a").server.fetch("/v1/models/llama3:8b");
  expect(await response.json()).toMatchObject({ id: "llama3:8b-q4_0" });
});

test("a model whose only server is gone is unavailable at first, and not unknown", async () => {
  cluster = await ServerCluster.start(["a", "b"], { queueTimeoutMs: 0, queueSize: 0 });
  await cluster.at("b").server.worker({ models: ["m"] });
  await cluster.knows("a", "m");
  await cluster.at("b").server.stop();
  await cluster.at("b").cluster.close();
  await eventually(async () => (await listed("a")).length === 0);
  const response = await cluster.at("a").server.chat("m");
  expect(response.status).toBe(503);
  expect((await cluster.at("a").server.chat("other")).status).toBe(404);
});
