/**
 * A small MCP server for benchmarks, with ten tools: on standard input and output, or with `--http` on a port that it reports.
 * There it answers in JSON at `/mcp`, and at `/events` in event streams, which is what the official SDKs' servers do unless they are told otherwise. The first argument is the time in milliseconds that its list takes. It does as little as possible per request.
 */
import { SMALL_CHARS } from "./mcp-calls.ts";

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string };
}

const delayMs = Number(process.argv[2] ?? 0);
const text = "x".repeat(SMALL_CHARS);
const tools = Array.from({ length: 10 }, (_, at) => ({
  name: at === 0 ? "small" : `tool_${at}`,
  description: "A tool for benchmarks, described as briefly as tools are.",
  inputSchema: { type: "object", properties: { text: { type: "string" } } },
}));

async function resultOf({ method, params }: Message): Promise<object> {
  if (method === "initialize") {
    const { protocolVersion = "" } = params ?? {};
    return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "bench", version: "1" } };
  }
  if (method !== "tools/list") return { content: [{ type: "text", text }] };
  await Bun.sleep(delayMs);
  return { tools };
}

async function answerTo(message: Message): Promise<object | undefined> {
  return message.id === undefined ? undefined : { jsonrpc: "2.0", id: message.id, result: await resultOf(message) };
}

function eventOf(answer: object): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

if (process.argv.includes("--http")) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const answer = await answerTo((await request.json()) as Message); // Sent by our own programs.
      if (!answer) return new Response(null, { status: 202 });
      return request.url.endsWith("/events") ? eventOf(answer) : Response.json(answer);
    },
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url: `http://127.0.0.1:${server.port}` });
} else {
  let rest = "";
  process.stdin.on("data", async (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = await answerTo(JSON.parse(line));
      if (answer) process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
  });
  process.stdin.on("end", () => process.exit(0));
}
