// How programs use this server: what to paste where. Pure, so that the page and docs/clients.md show the same, and tests run it.
// No line has a key: each takes it from the variable MOORAGE_KEY, or asks for it where the program has a field of its own.

import { quoted } from "./curl.ts";
import {
  KEY_VARIABLE,
  type Maker,
  NO_KEY,
  PROGRAM_IDS,
  type ProgramId,
  type Use,
  type UseBlock,
  type UseFacts,
  type UseLines,
} from "./use-facts.ts";
import { curl, python, typescript } from "./use-scripts.ts";

/** Returns what to paste for each program that can use the model, in the order of `PROGRAM_IDS`. */
export function useLines(facts: UseFacts): readonly UseLines[] {
  return PROGRAM_IDS.flatMap((id) => {
    const { uses, make } = MAKERS[id];
    return uses.includes(facts.use) ? [{ id, ...make(facts) }] : [];
  });
}

/** Returns the lines that put a key into the variable; `key` is undefined for one that the reader has. */
export function keyLines(key: string | undefined): readonly UseBlock[] {
  if (key === undefined)
    return [
      { place: "Linux and macOS", language: "sh", text: `read -rs ${KEY_VARIABLE} && export ${KEY_VARIABLE}` },
      { place: "PowerShell", language: "", text: `$env:${KEY_VARIABLE} = Read-Host 'Key'` },
    ];
  return [
    { place: "Linux and macOS", language: "sh", text: `export ${KEY_VARIABLE}=${quoted(key)}` },
    { place: "PowerShell", language: "", text: `$env:${KEY_VARIABLE} = '${key.replaceAll("'", "''")}'` },
  ];
}

const MAKERS: Readonly<Record<ProgramId, { readonly uses: readonly Use[]; readonly make: Maker }>> = {
  curl: { uses: ["chat", "embedding", "speech"], make: curl },
  python: { uses: ["chat", "embedding", "speech"], make: python },
  typescript: { uses: ["chat", "embedding", "speech"], make: typescript },
  "claude-code": { uses: ["chat"], make: claudeCode },
  codex: { uses: ["chat"], make: codex },
  opencode: { uses: ["chat"], make: openCode },
  "open-webui": { uses: ["chat", "speech"], make: openWebUi },
  continue: { uses: ["chat", "embedding"], make: continueDev },
  n8n: { uses: ["chat", "embedding"], make: n8n },
  warp: { uses: ["chat"], make: warp },
  cursor: { uses: ["chat"], make: cursor },
};

function claudeCode({ origin, model, hasKeys }: UseFacts): ReturnType<Maker> {
  const name = quoted(model);
  return {
    title: "Claude Code",
    blocks: [
      {
        place: "Shell",
        language: "sh",
        text: `export ANTHROPIC_BASE_URL=${quoted(origin)} ANTHROPIC_AUTH_TOKEN=${hasKeys ? `"$${KEY_VARIABLE}"` : NO_KEY}
export ANTHROPIC_MODEL=${name} ANTHROPIC_DEFAULT_HAIKU_MODEL=${name}
claude`,
      },
    ],
    fields: [],
    note: "Its first prompt has about 19,000 tokens, so the model server needs a context of 32,000 or more.",
  };
}

function codex({ origin, model, hasKeys }: UseFacts): ReturnType<Maker> {
  return {
    title: "Codex",
    blocks: [
      {
        place: "~/.codex/config.toml",
        language: "toml",
        text: `model = ${JSON.stringify(model)}
model_provider = "moorage"

[model_providers.moorage]
name = "Moorage"
base_url = "${origin}/v1"
${hasKeys ? `env_key = "${KEY_VARIABLE}"\n` : ""}wire_api = "responses"`,
      },
    ],
    fields: [],
    note: "The model server has to answer /v1/responses, as llama.cpp, Ollama, vLLM and LM Studio do.",
  };
}

function openCode({ origin, model, hasKeys }: UseFacts): ReturnType<Maker> {
  const name = `moorage/${model}`;
  const config = {
    model: name,
    small_model: name,
    provider: {
      moorage: {
        npm: "@ai-sdk/openai-compatible",
        name: "Moorage",
        options: { baseURL: `${origin}/v1`, ...(hasKeys && { apiKey: `{env:${KEY_VARIABLE}}` }) },
        models: { [model]: {} },
      },
    },
  };
  return {
    title: "opencode",
    blocks: [{ place: "opencode.json", language: "json", text: JSON.stringify(config, undefined, 2) }],
    fields: [],
    note: "The file belongs into the directory of the project, or into ~/.config/opencode for all of them.",
  };
}

function openWebUi({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
  const key = hasKeys ? `"$${KEY_VARIABLE}"` : NO_KEY;
  const chat = `export OPENAI_API_BASE_URL=${quoted(`${origin}/v1`)} OPENAI_API_KEY=${key}
export ENABLE_FORWARD_USER_INFO_HEADERS=true`;
  const speech = `export AUDIO_STT_ENGINE=openai AUDIO_STT_MODEL=${quoted(model)}
export AUDIO_STT_OPENAI_API_BASE_URL=${quoted(`${origin}/v1`)} AUDIO_STT_OPENAI_API_KEY=${key}`;
  return {
    title: "Open WebUI",
    blocks: [{ place: "Shell", language: "sh", text: `${use === "chat" ? chat : speech}\nopen-webui serve` }],
    fields: [],
    note: "Or add a connection of the kind OpenAI, not Ollama, under Admin Panel, Settings, Connections.",
  };
}

function continueDev({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
  const name = JSON.stringify(model);
  return {
    title: "Continue",
    blocks: [
      {
        place: "~/.continue/config.yaml",
        language: "yaml",
        text: `name: Moorage
version: 1.0.0
schema: v1
models:
  - name: ${name}
    provider: openai
    model: ${name}
    apiBase: ${origin}/v1
    apiKey: ${hasKeys ? `$\{{ secrets.${KEY_VARIABLE} }}` : NO_KEY}
    roles: ${use === "embedding" ? "[embed]" : "[chat, edit, apply]"}`,
      },
      ...(hasKeys
        ? [
            {
              place: "Shell",
              language: "sh" as const,
              text: `mkdir -p ~/.continue && echo "${KEY_VARIABLE}=$${KEY_VARIABLE}" >> ~/.continue/.env`,
            },
          ]
        : []),
    ],
    fields: [],
    note: "",
  };
}

function n8n({ origin, model, use }: UseFacts): ReturnType<Maker> {
  return {
    title: "n8n",
    blocks: [],
    fields: [
      { label: "API Key", value: "" },
      { label: "Base URL", value: `${origin}/v1` },
      { label: "Model", value: model },
    ],
    note: `Create a credential of the type OpenAI, and use it in the node ${
      use === "embedding" ? "Embeddings OpenAI" : "OpenAI Chat Model"
    } with the model by its id.`,
  };
}

function warp({ origin, model }: UseFacts): ReturnType<Maker> {
  return {
    title: "Warp",
    blocks: [],
    fields: [
      { label: "Endpoint URL", value: `${origin}/v1` },
      { label: "API key", value: "" },
      { label: "Model", value: model },
    ],
    note: "Under Settings, Agents, Warp Agent, Custom inference. Warp's own servers call the endpoint, so it has to be reachable from the internet by https.",
  };
}

function cursor({ origin, model }: UseFacts): ReturnType<Maker> {
  return {
    title: "Cursor",
    blocks: [],
    fields: [
      { label: "OpenAI API Key", value: "" },
      { label: "Override OpenAI Base URL", value: `${origin}/v1` },
      { label: "Add model", value: model },
    ],
    note: "Under Cursor Settings, Models, API Keys. Cursor's own servers call the address, so it has to be reachable from the internet by https.",
  };
}
