import { expect, test } from "bun:test";
import { guide } from "../../../src/demo/guide.ts";

const facts = {
  url: "http://127.0.0.1:8080",
  apiKey: "api-k",
  clientKey: "worker-k",
  launcher: "npx -y moorage@1.2.3",
  recording: "docs/sample.wav",
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

test("the guide starts other programs as the demo was started", () => {
  const text = guide({ ...facts, transcribeModel: undefined, relayId: undefined });
  expect(text).toContain("\n  npx -y moorage@1.2.3 worker llm --server http://127.0.0.1:8080 --client-key worker-k ");
  expect(text).toContain("\n  CLIENT_KEY=worker-k npx -y moorage@1.2.3 doctor --server http://127.0.0.1:8080\n");
});

test("the guide names a directory only if the recording is found from there", () => {
  const inPlace = guide({ ...facts, transcribeModel: "sample", relayId: undefined });
  expect(inPlace).toContain("Paste into another terminal, in this directory:");
  const anywhere = guide({ ...facts, recording: "/opt/moo rage/a.wav", transcribeModel: "sample", relayId: undefined });
  expect(anywhere).toContain("Paste into another terminal:");
  expect(anywhere).toContain(`-F 'file=@"/opt/moo rage/a.wav"' `);
});
