// An MCP server on standard input and output with lists of everything, for tests of a hub. The first argument is its name,
// which its answers contain. Words after it change it: `delay=50` delays its lists, `mute` answers nothing at all, `tools=120`
// has as many tools more, `broken` ends at once, `plain` has tools only, and `uri=…` is the URI of its resource.

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: unknown;
}

const [name = "", ...words] = process.argv.slice(2);
const option = (key: string): string | undefined =>
  words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
const uri = option("uri") ?? `file:///${name}`;
const delayMs = Number(option("delay") ?? 0);
if (words.includes("broken")) process.exit(3);

const send = (message: object): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const seen: unknown[] = [];
const asked = new Map<unknown, string | number>();
const more: string[] = [];

function tools(): readonly object[] {
  const names = ["read", "ask", "progress", "crash", "hang", "log", "change", "seen", "link", ...more];
  const long = option("long");
  if (long !== undefined) names.push(long);
  const extra = Array.from({ length: Number(option("tools") ?? 0) }, (_, at) => `extra_${at}`);
  return [...names, ...extra].map((each) => ({
    name: each,
    description: `${each} of ${name}`,
    inputSchema: { type: "object", properties: { text: { type: "string" } } },
    annotations: { readOnlyHint: each === "read" },
  }));
}

function call(id: string | number, { name: tool, arguments: given, _meta }: Readonly<Record<string, unknown>>): void {
  const text = (said: unknown): void =>
    send({ id, result: { content: [{ type: "text", text: typeof said === "string" ? said : JSON.stringify(said) }] } });
  const token = (_meta as { progressToken?: unknown } | undefined)?.progressToken;
  switch (tool) {
    case "ask":
      asked.set("q", id);
      // All servers use one id, so that a hub has to tell them apart.
      return send({
        id: "q",
        method: (given as { method?: string } | undefined)?.method ?? "sampling/createMessage",
        params: { of: name },
      });
    case "progress":
      for (const progress of [1, 2])
        send({ method: "notifications/progress", params: { progressToken: token, progress } });
      return text(name);
    case "crash":
      return process.exit(3);
    case "hang":
      return;
    case "log":
      send({ method: "notifications/message", params: { level: "info", data: name } });
      return text(name);
    case "change":
      more.push("grown");
      send({ method: "notifications/tools/list_changed" });
      send({ method: "notifications/resources/updated", params: { uri } });
      return text(name);
    case "seen":
      return text(seen);
    case "link":
      return send({ id, result: { content: [{ type: "resource_link", uri, name }] } });
    case "fail":
      return send({ id, error: { code: -32_001, message: `no ${name}`, data: { of: name } } });
    default:
      return text(`${String(tool)} of ${name}: ${JSON.stringify(given)}`);
  }
}

function handle({ id, method, params = {}, result, error }: Message): void {
  if (method === undefined) {
    const call = asked.get(id);
    if (call !== undefined)
      send({ id: call, result: { content: [{ type: "text", text: JSON.stringify({ name, result, error }) }] } });
    return;
  }
  if (method !== "tools/call") seen.push({ method, params });
  if (id === undefined || words.includes("mute")) return;
  switch (method) {
    case "initialize":
      return send({
        id,
        result: {
          protocolVersion: params["protocolVersion"],
          capabilities: words.includes("plain")
            ? { tools: {} }
            : {
                tools: { listChanged: true },
                prompts: {},
                resources: { subscribe: true },
                completions: {},
                logging: {},
              },
          serverInfo: { name, version: "1" },
          instructions: `Use ${name} well.`,
        },
      });
    case "tools/list": {
      const all = tools();
      const page = words.includes("paged") ? 2 : all.length;
      const from = Number(params["cursor"] ?? 0);
      const next = from + page < all.length ? { nextCursor: String(from + page) } : {};
      setTimeout(() => send({ id, result: { tools: all.slice(from, from + page), ...next } }), delayMs);
      return;
    }
    case "prompts/list":
      return send({ id, result: { prompts: [{ name: "greet" }] } });
    case "prompts/get":
      return send({
        id,
        result: {
          messages: [{ role: "user", content: { type: "text", text: `${String(params["name"])} of ${name}` } }],
        },
      });
    case "resources/list":
      return send({ id, result: { resources: [{ uri, name: `of ${name}` }] } });
    case "resources/templates/list":
      return send({ id, result: { resourceTemplates: [{ uriTemplate: `${name}://{path}`, name: `of ${name}` }] } });
    case "resources/read":
      if (params["uri"] !== uri && !String(params["uri"]).startsWith(`${name}://`)) {
        return send({ id, error: { code: -32_002, message: "Resource not found" } });
      }
      return send({ id, result: { contents: [{ uri: params["uri"], text: `text of ${name}` }] } });
    case "completion/complete":
      return send({ id, result: { completion: { values: [`${name}: ${JSON.stringify(params["ref"])}`] } } });
    case "tools/call":
      return call(id, params);
    case "ping":
    case "logging/setLevel":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return send({ id, result: {} });
    default:
      return send({ id, error: { code: -32_601, message: "no such method" } });
  }
}

let rest = "";
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) handle(JSON.parse(line));
});
process.stdin.on("end", () => process.exit(0));
