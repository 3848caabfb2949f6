import { quoted } from "./curl.ts";
import { KEY_VARIABLE, type Maker, NO_KEY, type Use, type UseFacts } from "./use-facts.ts";

// Lines for those who write programs themselves. Pure.

/** A command. */
export function curl({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
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

/** A script with the official SDK. */
export function python({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
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

/** A script with the official SDK, which runs with Node as it is. */
export function typescript({ origin, model, use, hasKeys }: UseFacts): ReturnType<Maker> {
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
