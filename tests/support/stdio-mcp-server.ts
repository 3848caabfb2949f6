import { spawn } from "node:child_process";

// A small MCP server on standard input and output, for tests of the bridge: it does what the name of a tool says.

type Message = { readonly id?: string | number; readonly method?: string; readonly params?: Record<string, unknown> };

const say = (message: object): void => void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);

console.log("a greeting where none belongs");
// What a package runner leaves behind when only itself is ended.
spawn("sh", ["-c", `sleep 1000; : stdio-mcp-server.ts ${process.argv[2]}`], { stdio: "ignore" });
let asked: { readonly id: string | number } | undefined;

function handle({ id, method, params }: Message): void {
  if (method === undefined) {
    // The answer to what this server asked: its own question's answer goes on.
    if (asked) say({ id: asked.id, result: { heard: true } });
    return;
  }
  if (id === undefined) return;
  switch (method) {
    case "initialize":
      return say({
        id,
        result: {
          protocolVersion: params?.["protocolVersion"],
          capabilities: { tools: {} },
          serverInfo: { name: "t", version: "1" },
        },
      });
    case "tools/call":
      return call(id, params ?? {});
    default:
      return say({ id, result: { method, pid: process.pid } });
  }
}

function call(id: string | number, { name, _meta }: Record<string, unknown>): void {
  switch (name) {
    case "progress": {
      const { progressToken } = (_meta ?? {}) as { progressToken?: unknown };
      say({ method: "notifications/progress", params: { progressToken, progress: 1 } });
      say({ method: "notifications/message", params: { level: "info", data: "working" } });
      return say({ id, result: { done: true } });
    }
    case "ask":
      asked = { id };
      return say({ id: "q1", method: "sampling/createMessage", params: {} });
    case "announce":
      say({ method: "notifications/tools/list_changed" });
      return say({ id, result: {} });
    case "crash":
      return process.exit(3);
    case "hang":
      return;
    case "rubbish":
      process.stdout.write("{ this is no message\n");
      return say({ id, result: { after: "rubbish" } });
    case "env":
      return say({ id, result: { env: Object.keys(process.env) } });
    default:
      return say({ id, result: { name, pid: process.pid } });
  }
}

let rest = "";
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) handle(JSON.parse(line));
});
process.stdin.on("end", () => process.exit(0));
