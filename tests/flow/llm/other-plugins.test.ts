import { afterEach, expect, test } from "bun:test";
import { definePlugin } from "../../../src/plugin/definition.ts";
import { createRoutes } from "../../../src/plugin/route-context.ts";
import { llmPlugin } from "../../../src/plugins/llm/plugin.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

const say = (text: string) => () => new Response(text);
/** A plugin with routes under the base that language models take any path of. */
const filesPlugin = definePlugin({
  id: "files",
  create: () => ({
    routes: createRoutes()
      .post("/v1/audio/speech", say("speech"), { parse: "none" })
      .post("/v1/files/:id/content", say("content"), { parse: "none" })
      .post("/v1/batches/*", say("batches"), { parse: "none" }),
  }),
});

test.each([
  ["after", [llmPlugin, filesPlugin]],
  ["before", [filesPlugin, llmPlugin]],
])("a path of another plugin that is mounted %s language models stays that plugin's", async (_order, known) => {
  server = new TestServer({ plugins: ["llm", "files"] }, {}, known);
  const worker = await server.worker();
  const answerOf = async (path: string): Promise<string> => (await server.post(path, { model: "m" })).text();
  expect(await answerOf("/v1/audio/speech")).toBe("speech");
  expect(await answerOf("/v1//audio/speech/")).toBe("speech");
  expect(await answerOf("/v1/files/a/content")).toBe("content");
  expect(await answerOf("/v1/batches/a/b")).toBe("batches");
  expect(worker.frames.waiting).toBe(0);

  const other = server.post("/v1/files/a/other", { model: "m" });
  const { id, head } = await worker.request();
  expect(head.path).toBe("/files/a/other");
  worker.answerJson(id, {});
  expect((await other).status).toBe(200);
});
