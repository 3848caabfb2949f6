import { jsonCurl } from "../../../../src/worker/curl.ts";
import { probeBackend } from "../../../../src/worker/discover.ts";
import { type Kind, modelRegister } from "../../../../src/worker/kind.ts";

/** Text to speech behind an OpenAI-style API. */
export const ttsKind: Kind = {
  name: "tts",
  places: [{ label: "Kokoro", base: "http://127.0.0.1:8880/v1" }],
  silenceMs: 10 * 60_000,
  register: modelRegister,
  probe: (base, options) => probeBackend(base, options, "text-to-speech"),
  curlLine: (server, model) => jsonCurl(`${server}/v1/audio/speech`, { model, voice: "alloy", input: "Ahoy." }),
};
