// How programs use this server: what to paste where. Pure, so that the page and docs/clients.md show the same, and tests run it.
// No line has a key: each takes it from the variable MOORAGE_KEY, or asks for it where the program has a field of its own.

import { quoted } from "./curl.ts";

/** What a model does. */
export type Use = "chat" | "embedding" | "speech";

export interface UseFacts {
  /** The origin at which programs reach the server: `https://moorage.example.com`. */
  readonly origin: string;
  readonly model: string;
  readonly use: Use;
  /** Whether the server asks for a key. Programs that insist on one get a word that means nothing. */
  readonly hasKeys: boolean;
}

/** A text to copy, and where it belongs. */
export interface UseBlock {
  /** `Shell`, a file, or the place in the program. */
  readonly place: string;
  /** The language of the text, for highlighting in documents; empty for fields. */
  readonly language: "sh" | "python" | "js" | "toml" | "json" | "yaml" | "";
  readonly text: string;
}

/** One program, and how it uses the server. */
export interface UseLines {
  readonly id: ProgramId;
  readonly title: string;
  readonly blocks: readonly UseBlock[];
  /** What is typed into fields of the program, in their order. */
  readonly fields: readonly UseField[];
  readonly note: string;
}

export interface UseField {
  readonly label: string;
  /** The value; that of the key is empty, because no page shows it. */
  readonly value: string;
}

export const PROGRAM_IDS = [
  "curl",
  "python",
  "typescript",
  "claude-code",
  "codex",
  "opencode",
  "open-webui",
  "continue",
  "n8n",
  "warp",
  "cursor",
] as const;

export type ProgramId = (typeof PROGRAM_IDS)[number];

/** The variable from which the lines take the key. */
export const KEY_VARIABLE = "MOORAGE_KEY";
/** What programs get that insist on a key where the server asks for none. */
const NO_KEY = "none";

type Maker = (facts: UseFacts) => Omit<UseLines, "id">;

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

function curl({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
  const auth = hasKeys ? ` -H "Authorization: Bearer $${KEY_VARIABLE}"` : "";
  const json = (path: string, body: object): string =>
    `curl ${quoted(`${origin}/v1/${path}`)}${auth} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
  const texts: Readonly<Record<Use, string>> = {
    chat: json("chat/completions", { model, messages: [{ role: "user", content: "Say hello." }] }),
    embedding: json("embeddings", { model, input: "a ship in the harbour" }),
    speech: `curl ${quoted(`${origin}/v1/audio/transcriptions`)}${auth} \\\n  -F ${quoted(`model=${model}`)} -F file=@speech.wav`,
  };
  return {
    title: "curl",
    blocks: [{ place: "Shell", language: "sh", text: texts[use] }],
    fields: [],
    note: use === "speech" ? "speech.wav is the recording, in any form that the model server takes." : "",
  };
}

function python({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
  const key = hasKeys ? `os.environ["${KEY_VARIABLE}"]` : `"${NO_KEY}"`;
  const name = JSON.stringify(model);
  const calls: Readonly<Record<Use, string>> = {
    chat: `answer = client.chat.completions.create(
    model=${name},
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.choices[0].message.content)`,
    embedding: `answer = client.embeddings.create(model=${name}, input="a ship in the harbour")
print(len(answer.data[0].embedding))`,
    speech: `with open("speech.wav", "rb") as recording:
    print(client.audio.transcriptions.create(model=${name}, file=recording).text)`,
  };
  return {
    title: "Python",
    blocks: [
      { place: "Shell", language: "sh", text: "pip install openai" },
      {
        place: "hello.py",
        language: "python",
        text: `${hasKeys ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=${key})
${calls[use]}`,
      },
    ],
    fields: [],
    note: "",
  };
}

function typescript({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
  const key = hasKeys ? `process.env.${KEY_VARIABLE}` : `"${NO_KEY}"`;
  const name = JSON.stringify(model);
  const calls: Readonly<Record<Use, string>> = {
    chat: `const answer = await client.chat.completions.create({
  model: ${name},
  messages: [{ role: "user", content: "Say hello." }],
});
console.log(answer.choices[0].message.content);`,
    embedding: `const answer = await client.embeddings.create({ model: ${name}, input: "a ship in the harbour" });
console.log(answer.data[0].embedding.length);`,
    speech: `const file = createReadStream("speech.wav");
console.log((await client.audio.transcriptions.create({ model: ${name}, file })).text);`,
  };
  return {
    title: "TypeScript",
    blocks: [
      { place: "Shell", language: "sh", text: "npm install openai" },
      {
        place: "hello.mjs",
        language: "js",
        text: `${use === "speech" ? 'import { createReadStream } from "node:fs";\n' : ""}import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${origin}/v1", apiKey: ${key} });
${calls[use]}`,
      },
    ],
    fields: [],
    note: "",
  };
}

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
