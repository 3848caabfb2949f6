import { spawn } from "node:child_process";

// A small MCP server on standard input and output, for tests of the bridge. Each tool does what its name says. The first
// argument is a mark by which tests find its processes. A word after it changes the server: `stateless` enables revisions
// without sessions, `silent` never answers `initialize`, and `refusing` refuses it.

type Message = {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly error?: unknown;
};

const say = (message: object): void => void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);

console.log("a greeting where none belongs");
// A process that is left behind if only its parent is ended, as with package runners.
spawn("sh", ["-c", `sleep 1000; : stdio-mcp-server.ts ${process.argv[2]}`], { stdio: "ignore" });
const isStateless = process.argv.includes("stateless");
const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const subscriptions = new Set<string | number>();
const cancelled: unknown[] = [];
const held: (string | number)[] = [];
let asked: { readonly id: string | number } | undefined;
/** Whether a handshake has come, after which servers of the Python SDK refuse every stateless request. */
let isLocked = false;
/** What the client said of itself, and the URIs that it subscribed to, each as often as it asked. */
let opening: Record<string, unknown> | undefined;
let openings = 0;
const uris: unknown[] = [];

function handle({ id, method, params, error }: Message): void {
  if (method === undefined) {
    // This is the answer to the server's own request, so the call that caused it continues.
    if (asked) say({ id: asked.id, result: { heard: true, refusal: error } });
    return;
  }
  if (method === "notifications/cancelled") cancelled.push(params?.["requestId"]);
  if (method === "initialize" || method === "notifications/initialized") isLocked = true;
  if (id === undefined) return;
  const meta = params?.["_meta"];
  if (isLocked && typeof meta === "object" && meta !== null && "io.modelcontextprotocol/protocolVersion" in meta)
    return say({ id, error: { code: -32600, message: "this connection serves the handshake era" } });
  switch (method) {
    case "initialize":
      if (process.argv.includes("silent")) return;
      opening = params;
      openings += 1;
      if (process.argv.includes("refusing")) return say({ id, error: { code: -32602, message: "not today" } });
      return say({
        id,
        result: {
          protocolVersion: params?.["protocolVersion"],
          capabilities: { tools: {} },
          serverInfo: { name: "t", version: "1" },
        },
      });
    case "server/discover":
      return isStateless
        ? say({ id, result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} } })
        : say({ id, error: { code: -32601, message: "no such method" } });
    case "subscriptions/listen":
      subscriptions.add(id);
      return say({ method: "notifications/subscriptions/acknowledged", params: { _meta: { [SUBSCRIPTION]: id } } });
    case "resources/subscribe":
    case "resources/unsubscribe":
      uris.push(`${method} ${params?.["uri"]}`);
      return say({ id, result: {} });
    case "no/such/method":
      return say({ id, error: { code: -32601, message: "no such method" } });
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
      for (const each of subscriptions) {
        say({ method: "notifications/tools/list_changed", params: { _meta: { [SUBSCRIPTION]: each } } });
      }
      say({ method: "notifications/tools/list_changed" });
      return say({ id, result: {} });
    case "changed":
      say({ method: "notifications/resources/updated", params: { uri: "file:///a" } });
      return say({ id, result: {} });
    case "opening":
      return say({ id, result: { openings, opening, uris, pid: process.pid } });
    case "log":
      say({ method: "notifications/message", params: { level: "info", data: "mine" } });
      return say({ id, result: {} });
    case "crash":
      return process.exit(3);
    case "hang":
      return;
    case "slow":
      setTimeout(() => say({ id, result: { slow: true } }), 100);
      return;
    case "hold":
      held.push(id);
      return;
    case "release":
      for (const each of held.splice(0)) say({ id: each, result: { held: true } });
      return say({ id, result: {} });
    case "large":
      return say({ id, result: { text: "x".repeat(2_000_000) } });
    case "names":
      return say({ id, result: { id, token: (_meta as { progressToken?: unknown } | undefined)?.progressToken } });
    case "cancelled":
      return say({ id, result: { cancelled } });
    case "endless":
      process.stdout.write("x".repeat(1024 * 1024), () => call(id, { name, _meta }));
      return;
    case "huge":
      return say({ id, result: { text: "x".repeat(33 * 1024 * 1024) } });
    case "huge-id-last":
      // In the order in which the TypeScript SDK writes.
      process.stdout.write(
        `${JSON.stringify({ result: { text: "x".repeat(33 * 1024 * 1024) }, jsonrpc: "2.0", id })}\n`,
      );
      return;
    case "deep":
      process.stdout.write(
        `{"jsonrpc":"2.0","id":${id},"result":{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}}\n`,
      );
      return;
    case "deaf":
      process.stdin.pause();
      return say({ id, result: { deaf: true } });
    case "stubborn":
      process.on("SIGTERM", () => {});
      process.stdin.removeAllListeners("end");
      setInterval(() => {}, 1000);
      return say({ id, result: { stubborn: true } });
    case "last-words":
      process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: { last: "words" } })}\n`, () =>
        process.exit(0),
      );
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
