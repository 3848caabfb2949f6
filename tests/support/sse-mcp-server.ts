import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import {
  CallToolRequestSchema,
  CreateMessageResultSchema,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

/** A small MCP server that speaks HTTP+SSE, the transport of 2024-11-05. */
export interface SseMcpServer {
  readonly url: string;
  /** The number of open event streams. */
  readonly streams: number;
  /** The names of all headers received so far, in lower case. */
  readonly headerNames: ReadonlySet<string>;
  /** Cuts every event stream, as a restart would. */
  cut(): void;
  stop(): Promise<void>;
}

/** Starts the server. An event stream sends its first event when `hello` has resolved. */
export async function startSseMcpServer({ hello = Promise.resolve() } = {}): Promise<SseMcpServer> {
  const open = new Map<string, { readonly transport: SSEServerTransport; readonly response: ServerResponse }>();
  const headerNames = new Set<string>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const name of Object.keys(request.headers)) headerNames.add(name);
    const url = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET" && url.pathname === "/sse") {
      await hello;
      const transport = new SSEServerTransport("/messages", response);
      open.set(transport.sessionId, { transport, response });
      response.on("close", () => open.delete(transport.sessionId));
      await serverFor().connect(transport);
      return;
    }
    const session = open.get(url.searchParams.get("sessionId") ?? "");
    if (request.method === "POST" && session) return session.transport.handlePostMessage(request, response);
    response.writeHead(404).end();
  };
  const http = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo; // it listens on TCP
  const cut = (): void => {
    for (const { response } of open.values()) response.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}/sse`,
    get streams() {
      return open.size;
    },
    headerNames,
    cut,
    stop: () =>
      new Promise((resolve) => {
        cut();
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
}

function serverFor(): Server {
  const server = new Server({ name: "sse", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: "ask", inputSchema: { type: "object" } }],
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, _meta } }, extra) => {
    if (name === "hang") return new Promise(() => {});
    if (name === "progress" && _meta?.progressToken !== undefined) {
      const params = { progressToken: _meta.progressToken, progress: 1 };
      await extra.sendNotification({ method: "notifications/progress", params });
    }
    if (name === "ask") {
      const params = { messages: [], maxTokens: 1 };
      await extra.sendRequest({ method: "sampling/createMessage", params }, CreateMessageResultSchema);
    }
    return { content: [{ type: "text", text: name }] };
  });
  return server;
}
