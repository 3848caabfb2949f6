import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
beforeAll(() => {
  server = new TestServer();
});
afterAll(() => server.stop());

async function statuses(): Promise<Readonly<Record<string, string | undefined>>> {
  const { data } = (await (await server.fetch("/v1/models")).json()) as {
    readonly data: readonly { readonly id: string; readonly status?: { readonly value: string } }[];
  };
  return Object.fromEntries(data.map(({ id, status }) => [id, status?.value]));
}

test("/v1/models follows what a worker says of its loaded models", async () => {
  const worker = await server.worker({
    models: ["a", "b"],
    model_info: [{ id: "a", status: "unloaded" }],
    loaded: ["a"],
  });
  expect(await statuses()).toEqual({ a: "loaded", b: "unloaded" });
  worker.sendText({ type: "status_update", loaded: ["b", "never-offered"] });
  await eventually(async () => (await statuses())["b"] === "loaded", "the update arrives");
  expect(await statuses()).toEqual({ a: "unloaded", b: "loaded" });
  worker.sendText({ type: "models_update", models: ["a", "b"] });
  await eventually(async () => (await statuses())["b"] === undefined, "the update arrives");
  expect(await statuses()).toEqual({ a: undefined, b: undefined });
  worker.close();
});

test("a model is loaded if one of its workers has it in memory, and unknown if none says anything", async () => {
  const silent = await server.worker({ models: ["c", "d"] });
  const cold = await server.worker({ models: ["c"], loaded: [] });
  expect(await statuses()).toMatchObject({ c: "unloaded", d: undefined });
  const warm = await server.worker({ models: ["c"], loaded: ["c"] });
  expect(await statuses()).toMatchObject({ c: "loaded" });
  for (const worker of [silent, cold, warm]) worker.close();
});
