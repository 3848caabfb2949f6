/**
 * An MCP server and a model server for benchmarks in one process: small responses of one size to tool calls and chats, tool
 * calls that are held until all are released together, and a large result. It does as little as possible per request.
 */
import { LARGE_BYTES, SMALL_CHARS } from "./mcp-calls.ts";

const HEADERS = { "content-type": "application/json" };
const encoder = new TextEncoder();

interface Call {
  readonly params: { readonly name: string };
}

const small = padded((text) => ({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text }] } }));
const chat = padded((content) => ({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_767_225_600,
  model: "bench-chat",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 9, total_tokens: 21 },
}));
const large = encoder.encode(
  JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "x".repeat(LARGE_BYTES) }] } }),
);

/** JSON of SMALL_CHARS characters, padded in its text. */
function padded(toAnswer: (text: string) => object): Uint8Array<ArrayBuffer> {
  const bare = JSON.stringify(toAnswer("")).length;
  return encoder.encode(JSON.stringify(toAnswer("x".repeat(SMALL_CHARS - bare))));
}

const held: (() => void)[] = [];
let onHeld = (): void => {};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: [{ id: "bench-chat", object: "model" }] }),
    "/v1/chat/completions": {
      POST: async (request) => {
        await request.json();
        return new Response(chat, { headers: HEADERS });
      },
    },
    "/mcp": {
      POST: async (request) => {
        const { params } = (await request.json()) as Call; // Sent by our own load generator.
        if (params.name === "large") return new Response(large, { headers: HEADERS });
        if (params.name === "held") {
          await new Promise<void>((resolve) => {
            held.push(resolve);
            onHeld();
          });
        }
        return new Response(small, { headers: HEADERS });
      },
    },
    /** Responds when this many calls are held at once. */
    "/held/:count": async ({ params }) => {
      while (held.length < Number(params.count)) await new Promise<void>((resolve) => (onHeld = resolve));
      return new Response(String(held.length));
    },
    "/release": {
      POST: () => {
        for (const release of held.splice(0)) release();
        return new Response();
      },
    },
  },
});

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
