/**
 * A model server for the benchmark of warm caches where llama.cpp cannot be had. Each of its slots keeps the prompt of its
 * last request, and only what comes after the common beginning is computed. A token is a character.
 */
import { parseArgs } from "node:util";

const { positionals } = parseArgs({ allowPositionals: true });
/** Milliseconds for each token that is computed, and for the answer. */
const TOKEN_MS = 0.05;
const ANSWER_MS = 30;
const ANSWER = "The harbour light burns all night for every ship at sea.";

interface ChatRequest {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

interface Slot {
  prompt: string;
  isBusy: boolean;
  usedAt: number;
}

const slots: readonly Slot[] = Array.from({ length: Number(positionals[0]) }, () => ({
  prompt: "",
  isBusy: false,
  usedAt: 0,
}));
const waiting: (() => void)[] = [];
let uses = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: [{ id: "bench-chat", object: "model" }] }),
    "/v1/chat/completions": {
      POST: async (request) => {
        const { messages } = (await request.json()) as ChatRequest; // Sent by our own agents.
        const prompt = messages.map(({ role, content }) => `<${role}>${content}`).join("");
        const cached = await generate(prompt);
        return Response.json({
          id: "chatcmpl-bench",
          object: "chat.completion",
          model: "bench-chat",
          choices: [{ index: 0, message: { role: "assistant", content: ANSWER }, finish_reason: "stop" }],
          usage: {
            prompt_tokens: prompt.length,
            completion_tokens: 12,
            total_tokens: prompt.length + 12,
            prompt_tokens_details: { cached_tokens: cached },
          },
        });
      },
    },
  },
});

/** Computes a prompt, as soon as a slot is free, and returns how many of its tokens a slot had. */
async function generate(prompt: string): Promise<number> {
  while (slots.every(({ isBusy }) => isBusy)) await new Promise<void>((resolve) => waiting.push(resolve));
  const slot = slotFor(prompt);
  slot.isBusy = true;
  uses += 1;
  slot.usedAt = uses;
  const cached = Math.min(commonLength(slot.prompt, prompt), prompt.length - 1);
  slot.prompt = prompt + ANSWER;
  await Bun.sleep((prompt.length - cached) * TOKEN_MS + ANSWER_MS);
  slot.isBusy = false;
  waiting.shift()?.();
  return cached;
}

/** Chooses a slot as llama.cpp does: the one that has most of the prompt if that is a tenth, else the longest unused one. */
function slotFor(prompt: string): Slot {
  const free = slots.filter(({ isBusy }) => !isBusy);
  const byMatch = free.toSorted((a, b) => commonLength(b.prompt, prompt) - commonLength(a.prompt, prompt));
  const byAge = free.toSorted((a, b) => a.usedAt - b.usedAt);
  const [best, oldest] = [byMatch[0], byAge[0]];
  if (!best || !oldest) throw new Error("no slot is free");
  return commonLength(best.prompt, prompt) > prompt.length / 10 ? best : oldest;
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  return at;
}

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
