import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createLog } from "../../src/system/log.ts";
import { readServersFile } from "../../src/worker/mcp/servers-file.ts";
import { startFixture } from "../support/mcp-rig.ts";
import { McpServer } from "../support/mcp-server.ts";
import { startTestWorker } from "../support/test-worker.ts";

// What a caller may not use, it finds in no list, and cannot call: through a real server and worker, in front of real programs.

const LISTING = join(import.meta.dir, "../support/listing-mcp-server.ts");
const ANN = "ann-0123456789abcdef0123456789abcdef";
const BOB = "bob-0123456789abcdef0123456789abcdef";
const SESSIONS = "2025-11-25";
const STATELESS = "2026-07-28";

const running: { stop(): unknown }[] = [];
const logged: string[] = [];
/** The bodies that reached the MCP server which only records. */
const recorded: string[] = [];
let server: McpServer;

/** An MCP server that takes everything for a list of tools, and answers in the form that its query names. */
function startRecorder(): { readonly url: string; stop(): unknown } {
  const tools = [{ name: "read_a" }, { name: "drop" }];
  const listener = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = await request.text();
      if (request.method === "POST") recorded.push(body);
      const { id } = request.method === "POST" ? (JSON.parse(body) as { id: unknown }) : { id: 1 }; // the tests send it
      const message = JSON.stringify({
        jsonrpc: "2.0",
        id,
        result: { tools, forwarded: request.headers.get("authorization") },
      });
      const form = new URL(request.url).searchParams.get("form");
      if (form === "gzip") {
        const headers = { "content-type": "application/json", "content-encoding": "gzip" };
        return new Response(Bun.gzipSync(Buffer.from(message)), { headers });
      }
      if (form === "events" || request.method === "GET") {
        const at = message.indexOf('"result"');
        const [head, tail] = [message.slice(0, at), message.slice(at)];
        const text = `: hello\r\n\r\nid: 7\r\nevent: message\r\ndata: ${head}\r\ndata:${tail}\r\n\r\n`;
        const pieces = Array.from(text.matchAll(/[\s\S]{1,7}/g), ([piece]) => piece);
        const stream = new ReadableStream<string>({
          pull(controller) {
            const next = pieces.shift();
            if (next === undefined) controller.close();
            else controller.enqueue(next);
          },
        });
        return new Response(stream.pipeThrough(new TextEncoderStream()), {
          headers: { "content-type": "text/event-stream" },
        });
      }
      return new Response(message, { headers: { "content-type": "application/json" } });
    },
  });
  return { url: `http://127.0.0.1:${listener.port}/mcp`, stop: () => listener.stop(true) };
}

beforeAll(async () => {
  server = new McpServer();
  const fixture = await startFixture();
  const recorder = startRecorder();
  running.push(server, fixture, recorder);
  const callers = {
    ann: {
      token: ANN,
      tools: ["read*", "hang", "smoke_echo", "smoke_headers"],
      prompts: [],
      resources: ["file:///public/*"],
    },
    bob: { token: BOB },
  };
  const program = (name: string, ...words: string[]) => ({
    command: process.execPath,
    args: [LISTING, name, ...words],
  });
  const file = {
    mcpServers: {
      stdio: { ...program("files", "paged"), id: "stdio", callers },
      http: { url: fixture.url, id: "http", callers },
      recorder: { url: recorder.url, type: "http", id: "recorder", callers },
      classed: { ...program("classed"), id: "classed", tools: ["@read-only"] },
      one: { ...program("one"), id: "one" },
      two: { ...program("two"), id: "two", excludeTools: ["crash"] },
    },
    one_url: { id: "team", callers: { ann: { token: ANN, tools: ["*__read*"] }, bob: { token: BOB } } },
  };
  const { servers, faults } = readServersFile("mcp.json", { env: {}, readFile: () => JSON.stringify(file) });
  expect(faults).toEqual([]);
  const log = createLog({ level: "debug", format: "json", write: (line) => logged.push(line), now: Date.now });
  const worker = startTestWorker(
    { kinds: ["mcp"], server: server.url, relays: servers, drainTimeoutMs: 0 },
    { env: { PATH: process.env["PATH"] }, log },
  );
  running.push(worker);
  await worker.registered;
});
afterAll(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

interface Rpc {
  readonly id?: string | number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

type Headers = Readonly<Record<string, string>>;

const as = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const pathOf = (id: string): string => `/api/mcp/id/${id}/mcp`;

async function rpcsIn(response: Response): Promise<readonly Rpc[]> {
  const text = await response.text();
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return [JSON.parse(text)];
  return text
    .split(/\r?\n\r?\n/)
    .map((event) => Array.from(event.matchAll(/^data: ?(.*)$/gm), ([, data]) => data ?? "").join("\n"))
    .filter((data) => data !== "")
    .map((data) => JSON.parse(data));
}

/** Sends one message and returns the answer with its id. */
async function say(id: string, message: object, headers: Headers): Promise<Rpc> {
  const answer = (await rpcsIn(await server.rpc({ jsonrpc: "2.0", id: 1, ...message }, { headers }, pathOf(id)))).at(
    -1,
  );
  return answer ?? expect.unreachable();
}

/** Opens a session of the era with sessions. Returns the headers of its requests. */
async function opened(id: string, token: string): Promise<Headers> {
  const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const init = { jsonrpc: "2.0", id: 0, method: "initialize", params };
  const response = await server.rpc(init, { headers: as(token) }, pathOf(id));
  await response.text();
  const session = response.headers.get("mcp-session-id") ?? expect.unreachable();
  const headers = { ...as(token), "mcp-session-id": session, "mcp-protocol-version": SESSIONS };
  await server.rpc({ jsonrpc: "2.0", method: "notifications/initialized" }, { headers }, pathOf(id));
  return headers;
}

/** The names in a list, from all of its pages. */
async function listed(id: string, headers: Headers, of = "tools"): Promise<readonly string[]> {
  const method = of === "resourceTemplates" ? "resources/templates/list" : `${of}/list`;
  const names: string[] = [];
  for (let cursor: unknown, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
    const { result } = await say(id, { method, params: cursor === undefined ? {} : { cursor } }, headers);
    const items = (result?.[of] ?? []) as readonly Readonly<Record<string, string>>[]; // as MCP servers list them
    names.push(...items.map(({ name, uri, uriTemplate }) => uri ?? uriTemplate ?? name ?? ""));
    cursor = result?.["nextCursor"];
  }
  return names;
}

const stateless = (token: string, method: string, name?: string): Headers => ({
  ...as(token),
  "mcp-protocol-version": STATELESS,
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
});
const META = {
  _meta: {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  },
};
const UNKNOWN = (name: string) => ({ error: { code: -32_602, message: `Unknown tool: ${name}` } });

describe("a caller that may use some tools", () => {
  test("gets no other in any page of a list, and cannot call another by its name, of a program on stdio", async () => {
    const ann = await opened("stdio", ANN);
    expect(await listed("stdio", ann)).toEqual(["read", "hang"]);
    expect(await listed("stdio", await opened("stdio", BOB))).toContain("seen");
    expect(await listed("stdio", ann, "prompts")).toEqual([]);
    expect(await listed("stdio", ann, "resources")).toEqual([]);
    expect(await listed("stdio", ann, "resourceTemplates")).toEqual([]);
    const call = (name: string, more: object = {}) =>
      say("stdio", { method: "tools/call", params: { name, ...more } }, ann);
    expect((await call("read")).result).toBeDefined();
    expect(await call("seen")).toMatchObject(UNKNOWN("seen"));
    expect(await say("stdio", { method: "prompts/get", params: { name: "greet" } }, ann)).toHaveProperty("error");
    expect(await say("stdio", { method: "resources/read", params: { uri: "file:///files" } }, ann)).toHaveProperty(
      "error",
    );
  });

  test("gets no other in either era, as JSON or as events, of a server on HTTP", async () => {
    const ann = await opened("http", ANN);
    const may = ["smoke_echo", "smoke_headers"];
    expect((await listed("http", ann)).toSorted()).toEqual(may);
    const { result } = await say("http", { method: "tools/list", params: META }, stateless(ANN, "tools/list"));
    const tools = (result?.["tools"] ?? []) as readonly { readonly name: string }[]; // as MCP servers list them
    expect(tools.map(({ name }) => name).toSorted()).toEqual(may);
    expect(result?.["cacheScope"]).toBe("private");
    for (const name of ["smoke_stats", "test_simple_text"]) {
      const params = { name, arguments: {} };
      expect(await say("http", { method: "tools/call", params }, ann)).toMatchObject(UNKNOWN(name));
      const headers = stateless(ANN, "tools/call", name);
      expect(await say("http", { method: "tools/call", params: { ...params, ...META } }, headers)).toMatchObject(
        UNKNOWN(name),
      );
    }
    const params = { name: "smoke_echo", arguments: { text: "hello" }, ...META };
    const echoed = await say("http", { method: "tools/call", params }, stateless(ANN, "tools/call", "smoke_echo"));
    expect(JSON.stringify(echoed.result)).toContain("hello");
  });

  test("gets no other in a stream that it resumes", async () => {
    const ann = await opened("http", ANN);
    const response = await server.rpc(
      { jsonrpc: "2.0", id: 5, method: "tools/list" },
      { headers: ann },
      pathOf("http"),
    );
    const first = await response.text();
    const id = /^id: ?(\S+)$/m.exec(first)?.[1] ?? expect.unreachable();
    expect(first).not.toContain("smoke_stats");
    const headers = { ...ann, accept: "text/event-stream", "last-event-id": id };
    const resumed = await server.call("GET", { headers }, pathOf("http"));
    const reader = resumed.body?.getReader() ?? expect.unreachable();
    let text = "";
    while (!text.includes("smoke_echo")) text += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    expect(text).not.toContain("smoke_stats");
    expect(text).toContain("\nid: ");
  });

  test.each(["json", "gzip", "events"])("gets no other in the form %s, in pieces of any size", async (form) => {
    const path = `${pathOf("recorder")}?form=${form}`;
    const text = async (headers: Headers) =>
      JSON.stringify(
        await rpcsIn(await server.rpc({ jsonrpc: "2.0", id: 1, method: "tools/list" }, { headers }, path)),
      );
    expect(await text(as(ANN))).toContain('[{"name":"read_a"}]');
    if (form === "json") expect(await text(as(BOB))).toContain("drop");
    if (form !== "events") return;
    const listening = await server.call("GET", { headers: { ...as(ANN), accept: "text/event-stream" } }, path);
    const events = await listening.text();
    expect(events).toStartWith(": hello\r\n\r\n");
    expect(events).toContain("id: 7\nevent: message\n");
    expect(events).not.toContain("drop");
  });

  test("gets no list as the answer to a call with the same id", async () => {
    const ann = await opened("stdio", ANN);
    const leaving = new AbortController();
    const hanging = server
      .rpc(
        { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "hang" } },
        { headers: ann, signal: leaving.signal },
        pathOf("stdio"),
      )
      .then(
        (response) => response.text(),
        () => "",
      );
    const listing = server
      .rpc({ jsonrpc: "2.0", id: 5, method: "tools/list" }, { headers: ann, signal: leaving.signal }, pathOf("stdio"))
      .then(
        (response) => response.text(),
        () => "",
      );
    const first = await Promise.race([hanging, listing]);
    leaving.abort();
    expect(first).toContain('"id":5');
    expect(first).not.toContain("ask of");
  });

  test("gets no other at the one URL of several servers", async () => {
    const ann = await opened("team", ANN);
    expect((await listed("team", ann)).toSorted()).toEqual(["classed__read", "one__read", "stdio__read", "two__read"]);
    const bob = await opened("team", BOB);
    const all = await listed("team", bob);
    expect(all).toContain("one__crash");
    expect(all).not.toContain("two__crash");
    for (const name of ["one__seen", "read", "two__crash", "one__READ"]) {
      expect(await say("team", { method: "tools/call", params: { name } }, ann)).toHaveProperty("error");
    }
    expect(await say("team", { method: "tools/call", params: { name: "one__read" } }, ann)).toHaveProperty("result");
    expect(await say("team", { method: "tools/call", params: { name: "two__crash" } }, bob)).toHaveProperty("error");
  });

  test("that are marked as read-only finds and calls these alone", async () => {
    const anybody = await opened("classed", "x");
    expect(await listed("classed", anybody)).toEqual(["read"]);
    expect(await say("classed", { method: "tools/call", params: { name: "read" } }, anybody)).toHaveProperty("result");
    expect(await say("classed", { method: "tools/call", params: { name: "seen" } }, anybody)).toMatchObject(
      UNKNOWN("seen"),
    );
  });
});

describe("a call of a tool that a caller may not use", () => {
  const MIB = 1024 * 1024;
  const large = "x".repeat(8 * MIB);
  const post = (body: string, headers: Headers = {}) =>
    server.rpc(body, { headers: { ...as(ANN), ...headers } }, pathOf("recorder"));

  test("is refused in a body of 8 MiB, wherever its name is, and one that it may use gets through", async () => {
    const before = `{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"drop","arguments":{"a":"${large}"}}}`;
    const behind = `{"params":{"arguments":{"a":"${large}"},"name":"drop"},"method":"tools/call","id":"big","jsonrpc":"2.0"}`;
    recorded.length = 0;
    for (const body of [before, behind]) {
      const response = await post(body);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ jsonrpc: "2.0", id: "big", ...UNKNOWN("drop") });
    }
    expect(recorded).toEqual([]);
    const allowed = behind.replace('"name":"drop"', '"name":"read_a"');
    expect((await post(allowed)).status).toBe(200);
    expect(recorded).toEqual([allowed]);
  });

  const call = (members: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${members}}}`;
  test.each<[string, string, Headers?]>([
    ["the name twice", call('"name":"drop","name":"read_a"')],
    ["the name twice, the other way round", call('"name":"read_a","name":"drop"')],
    ["the name twice, one of them with escapes", call('"name":"read_a","\\u006e\\u0061me":"drop"')],
    ["a name in another case", call('"name":"read_a","Name":"drop"')],
    [
      "a name that folds",
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_a"},"paramſ":{"name":"drop"}}`,
    ],
    [
      "the params twice",
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_a"},"params":{"name":"drop"}}`,
    ],
    ["the method twice", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"drop"}}`],
    ["a name with escapes", call('"name":"\\u0064ro\\u0070"')],
    ["a name with a zero byte", call('"name":"read_\\u0000drop"')],
    ["a name with half a character", call('"name":"read_\\ud83d"')],
    ["a name that is a list", call('"name":["drop"]')],
    ["a method with blanks", call('"name":"drop"').replace("tools/call", " tools/call")],
    ["a method in another case", call('"name":"drop"').replace("tools/call", "Tools/Call")],
    ["no id", call('"name":"drop"').replace('"id":1,', "")],
    ["a null id", call('"name":"drop"').replace('"id":1', '"id":null')],
    ["a batch", `[${call('"name":"read_a"')},${call('"name":"drop"')}]`],
    ["a batch of one", `[${call('"name":"drop"')}]`],
    ["a byte order mark", `\ufeff${call('"name":"drop"')}`],
    ["a comment", call('"name":/*"read_a"*/"drop"')],
    ["two messages", `${call('"name":"read_a"')}\n${call('"name":"drop"')}`],
    ["a header that names another tool", call('"name":"drop"'), { "mcp-name": "read_a" }],
    ["a header that names it", call('"name":"read_a"'), { "mcp-name": "drop" }],
    ["an encoded header that names it", call('"name":"read_a"'), { "mcp-name": "=?base64?ZHJvcA==?=" }],
    ["a header with another method", call('"name":"drop"'), { "mcp-method": "tools/list" }],
    [
      "a charset that gives the bytes another meaning",
      call('"name":"drop"'),
      { "content-type": "application/json; charset=utf-16" },
    ],
    ["another type", call('"name":"drop"'), { "content-type": "text/plain" }],
  ])("never reaches the MCP server with %s", async (_what, body, headers = {}) => {
    recorded.length = 0;
    const response = await post(body, headers);
    const text = await response.text();
    expect(recorded).toEqual([]);
    expect(text).not.toContain("result");
    if (response.status !== 202) expect(JSON.parse(text)).toHaveProperty("error.code");
  });

  test("is written down as refused, without the caller's token anywhere", async () => {
    const response = await post(call('"name":"drop"'));
    expect(await response.text()).not.toContain(ANN);
    expect(logged.join("\n")).not.toContain(ANN);
    expect(logged.join("\n")).not.toContain(BOB);
  });
});

describe("callers with names", () => {
  test("are let in by their own tokens alone, which go no further", async () => {
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    for (const headers of [{}, as(`${ANN}x`), as(ANN.slice(1))]) {
      const response = await server.rpc(list, { headers }, pathOf("recorder"));
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
    }
    expect((await say("recorder", { method: "tools/list" }, as(BOB))).result).toMatchObject({ forwarded: null });
  });

  test.each(["stdio", "http", "team"])("cannot use a session of each other at %s", async (id) => {
    const bob = await opened(id, BOB);
    const session = bob["mcp-session-id"] ?? "";
    const stolen = { ...bob, ...as(ANN) };
    for (const method of ["POST", "GET", "DELETE"]) {
      const body = method === "POST" ? { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' } : {};
      const headers = { ...stolen, "content-type": "application/json", accept: "application/json, text/event-stream" };
      const response = await server.call(method, { ...body, headers }, pathOf(id));
      expect([method, response.status]).toEqual([method, 404]);
      await response.text();
    }
    const bare = { ...bob, "mcp-session-id": session.slice(0, session.lastIndexOf(".")) };
    const response = await server.rpc({ jsonrpc: "2.0", id: 1, method: "tools/list" }, { headers: bare }, pathOf(id));
    expect(response.status).toBe(404);
    expect((await listed(id, bob)).length).toBeGreaterThan(1);
  });
});
