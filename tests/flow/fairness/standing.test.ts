import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AudioServer } from "../../support/audio-server.ts";
import type { NativeWorker, RequestFrame } from "../../support/native-worker.ts";

let server: AudioServer;
let worker: NativeWorker;

beforeEach(async () => {
  server = new AudioServer();
  worker = await server.worker({ max_concurrency: 4 });
});
afterEach(() => server.stop());

const PRIORITY = { headers: { "x-moorage-priority": "Background" } };
const WRONG = { headers: { "x-moorage-priority": "urgent" } };
const FORM = [
  { name: "model", value: "m" },
  { name: "file", value: "RIFF", filename: "a.wav" },
];

function namesIn({ head }: RequestFrame): readonly string[] {
  return head.headers.map(([name]) => name);
}

async function received(sent: Promise<Response>, by: NativeWorker): Promise<RequestFrame> {
  const request = await by.request();
  by.answerJson(request.id, { data: [] });
  expect((await sent).status).toBe(200);
  return request;
}

describe("what a request says about its place in the queue", () => {
  test.each(["auto", "default", "flex", "priority", "scale", "anything"])(
    "leaves the service tier %p in the body for the backend",
    async (tier) => {
      const { body } = await received(server.chat("m", { service_tier: tier }), worker);
      expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({ service_tier: tier });
    },
  );

  test("reaches no worker as a header, and leaves other headers in place", async () => {
    const headers = { ...PRIORITY.headers, "x-openwebui-user-id": "u1" };
    const names = namesIn(await received(server.chat("m", {}, { headers }), worker));
    expect(names).toContain("x-openwebui-user-id");
    expect(names.filter((name) => name.startsWith("x-moorage-"))).toEqual([]);
    const listener = await server.listener();
    expect(namesIn(await received(server.transcribe(FORM, PRIORITY), listener))).not.toContain("x-moorage-priority");
  });

  test.each<[string, () => Promise<Response>]>([
    ["a chat", () => server.chat("m", {}, WRONG)],
    ["embeddings", () => server.post("/v1/embeddings", { model: "m", input: ["a", "b"] }, WRONG)],
    ["an upload", () => server.transcribe(FORM, WRONG)],
  ])("is refused for %s with a wrong priority, before a worker gets it", async (_what, send) => {
    const answer = await send();
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: {
        message: "'x-moorage-priority' must be interactive, normal or background.",
        type: "invalid_request_error",
        param: "x-moorage-priority",
        code: "invalid_request",
      },
    });
    expect(worker.frames.waiting).toBe(0);
  });

  test("is refused on Anthropic's route in Anthropic's form", async () => {
    const answer = await server.post("/v1/messages", { model: "m", max_tokens: 1, messages: [] }, WRONG);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ type: "error", error: { param: "x-moorage-priority" } });
  });
});
