import { expect, test } from "bun:test";
import { guide } from "../../../src/demo/guide.ts";

const facts = {
  url: "http://127.0.0.1:8080",
  apiKey: "api-k",
  clientKey: "worker-k",
  backend: { name: "a model server", chatModel: "m", embedModel: undefined },
};

test("the guide has a command that posts the checkout's recording, and says that the server is a sample", () => {
  const text = guide({ ...facts, transcribeModel: "sample", relayId: "demo" });
  expect(text).toContain(
    '  curl -H "Authorization: Bearer $API_KEY" http://127.0.0.1:8080/v1/audio/transcriptions -F file=@docs/sample.wav -F model=sample\n',
  );
  expect(text).toContain("it ignores the sound");
  expect(text).toContain("http://127.0.0.1:8080/api/mcp/id/demo/mcp -d '{");
});

test("the guide for a server without audio does not mention it", () => {
  expect(guide({ ...facts, transcribeModel: undefined, relayId: undefined })).not.toContain("audio");
});
