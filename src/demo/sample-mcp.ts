import { createMcpHandler, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { VERSION } from "../system/version.ts";

/** Starts a small MCP server on the loopback, for stateful and stateless clients, built with the official SDK. */
export interface SampleMcp {
  readonly url: string;
  stop(): Promise<void>;
}

/** The most steps of `count_slowly`, and the pause between two in milliseconds. */
const MAX_STEPS = 20;
const STEP_MS = 300;

export function startSampleMcp(): SampleMcp {
  const handler = createMcpHandler(() => build());
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request) => handler.fetch(request),
  });
  return { url: `http://127.0.0.1:${server.port}/mcp`, stop: () => server.stop(true) };
}

function build(): McpServer {
  const server = new McpServer(
    { name: "moorage-sample", version: VERSION },
    { instructions: "A sample that is built into Moorage's demo: three small tools, a resource and a prompt." },
  );
  server.registerTool(
    "echo",
    {
      description: "Repeats a text.",
      inputSchema: fromJsonSchema<{ text: string }>({
        type: "object",
        properties: { text: { type: "string", description: "What to say." } },
        required: ["text"],
      }),
    },
    ({ text }) => said(text),
  );
  server.registerTool(
    "add",
    {
      description: "Adds two numbers.",
      inputSchema: fromJsonSchema<{ a: number; b: number }>({
        type: "object",
        properties: { a: { type: "number" }, b: { type: "number" } },
        required: ["a", "b"],
      }),
    },
    ({ a, b }) => said(String(a + b)),
  );
  server.registerTool(
    "count_slowly",
    {
      description: "Counts with a pause before each number, and reports its progress.",
      inputSchema: fromJsonSchema<{ steps: number }>({
        type: "object",
        properties: { steps: { type: "integer", minimum: 1, maximum: MAX_STEPS, default: 5 } },
        required: ["steps"],
      }),
    },
    async ({ steps }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (let step = 1; step <= steps; step += 1) {
        await Bun.sleep(STEP_MS);
        if (mcpReq.signal.aborted) return said(`stopped at ${step - 1}`);
        if (progressToken === undefined) continue;
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress: step, total: steps },
        });
      }
      return said(`counted to ${steps}`);
    },
  );
  server.registerResource(
    "about",
    "moorage://about",
    { description: "What this is.", mimeType: "text/plain" },
    (uri) => ({
      contents: [{ uri: uri.href, mimeType: "text/plain", text: "This MCP server is the sample of Moorage's demo." }],
    }),
  );
  server.registerPrompt(
    "greeting",
    {
      description: "Asks for a greeting.",
      argsSchema: fromJsonSchema<{ name: string }>({
        type: "object",
        properties: { name: { type: "string" } },
        required: ["name"],
      }),
    },
    ({ name }) => ({
      messages: [{ role: "user", content: { type: "text", text: `Greet ${name} as a harbour master would.` } }],
    }),
  );
  return server;
}

function said(text: string): { content: { type: "text"; text: string }[] } {
  return { content: [{ type: "text", text }] };
}
