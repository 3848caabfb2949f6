import { afterAll, beforeAll, expect, test } from "bun:test";
import { API_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = new TestServer({ plugins: ["llm", "asr"] });
  await server.worker({
    models: ["qwen3:8b", "embedder", "m"],
    model_info: [
      { id: "qwen3:8b", type: "chat" },
      { id: "embedder", type: "embedding" },
    ],
  });
});
afterAll(() => server.stop());

/**
 * Returns the names of models in the description's examples that a reader gets. The whole text would make failures
 * unreadable.
 */
async function examples(headers: Record<string, string> = {}): Promise<readonly string[]> {
  const text = await (await fetch(`${server.url}/api/client/openapi.json`, { headers })).text();
  return ["qwen3:8b", "embedder", "llama3:8b", "bge-m3", "whisper-1"].filter((name) => text.includes(`"${name}"`));
}

test("the examples of the API's description name models that are served, to a reader with a key", async () => {
  // Nobody serves audio.
  expect(await examples({ authorization: `Bearer ${API_KEY}` })).toEqual(["qwen3:8b", "embedder", "whisper-1"]);
});

test("the API's description names no model of the server to a reader without a key or with a wrong one", async () => {
  for (const headers of [{}, { authorization: "Bearer wrong" }, { cookie: "moorage_session=wrong" }])
    expect(await examples(headers as Record<string, string>)).toEqual(["llama3:8b", "bge-m3", "whisper-1"]);
});

test("the API's description names models that are served to a reader who is signed in to the dashboard", async () => {
  const signedIn = await fetch(`${server.url}/state/sign-in`, {
    method: "POST",
    body: new URLSearchParams({ key: API_KEY }),
    headers: { origin: server.url },
    redirect: "manual",
  });
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  expect(await examples({ cookie })).toEqual(["qwen3:8b", "embedder", "whisper-1"]);
});
