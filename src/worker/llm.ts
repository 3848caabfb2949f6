import { type Kind, modelRegister } from "./kind.ts";

/** Language models behind an OpenAI-style API. */
export const llmKind: Kind = {
  name: "llm",
  places: [
    { label: "Ollama", base: "http://127.0.0.1:11434/v1" },
    { label: "llama.cpp", base: "http://127.0.0.1:8080/v1" },
    { label: "vLLM", base: "http://127.0.0.1:8000/v1" },
    { label: "LM Studio", base: "http://127.0.0.1:1234/v1" },
  ],
  register: modelRegister,
  example: (server, model) => ({
    url: `${server}/v1/chat/completions`,
    body: { model, messages: [{ role: "user", content: "Hello!" }] },
  }),
};
