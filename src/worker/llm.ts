import { jsonCurl } from "./curl.ts";
import { probeBackend } from "./discover.ts";
import { type Kind, modelRegister } from "./kind.ts";

/** Language models behind an API in OpenAI's style. */
export const llmKind: Kind = {
  name: "llm",
  places: [
    { label: "Ollama", base: "http://127.0.0.1:11434/v1" },
    { label: "llama.cpp", base: "http://127.0.0.1:8080/v1" },
    // The default port of future versions.
    { label: "llama.cpp", base: "http://127.0.0.1:9931/v1" },
    { label: "vLLM", base: "http://127.0.0.1:8000/v1" },
    { label: "LM Studio", base: "http://127.0.0.1:1234/v1" },
  ],
  // The server says how long a job may be silent; a day is the longest that it can be set to.
  silenceMs: 24 * 60 * 60_000,
  register: modelRegister,
  probe: (base, options) => probeBackend(base, options),
  curlLine: (server, model) =>
    jsonCurl(`${server}/v1/chat/completions`, { model, messages: [{ role: "user", content: "Hello!" }] }),
};
