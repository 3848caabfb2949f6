#!/usr/bin/env node
import { randomUUID } from "node:crypto";
// An MCP server for tests, in both eras of the specification. It is not an example to follow: it does what the official suite tests.
//   2025-era: sessions (Mcp-Session-Id), GET stream, DELETE, Last-Event-ID replay, server->client requests
//   2026-era: stateless, server/discover, subscriptions/listen, input_required (MRTR), Mcp-* header checks
// Offers the diagnostic tools that @modelcontextprotocol/conformance asks for, plus smoke_* tools.
// Usage: node fixture-server.mjs [--port 0] [--stdio] [--stateless] [--no-events] [--json] [--token SECRET] [--public-url URL]
//   --no-events: no event store, so no priming events and no replay;
//   --stateless: 2025-era requests are served without sessions (GET and DELETE are 405); --json: 2026-era answers never stream; --token: require "Authorization: Bearer SECRET" (401 + RFC 9728)
import http from "node:http";
import {
  acceptedContent,
  completable,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  inputResponse,
  isInitializeRequest,
  isLegacyRequest,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import * as zz from "zod";

const args = process.argv.slice(2);
const opt = (n, d) => {
  const i = args.indexOf(`--${n}`);
  return i < 0 ? d : args[i + 1] && !args[i + 1].startsWith("--") ? args[i + 1] : true;
};
const PORT = Number(opt("port", 0));
const TOKEN = opt("token", "");
const PUBLIC_URL = opt("public-url", "");

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==";
const text = (t) => ({ content: [{ type: "text", text: t }] });
const sleep = (ms, signal) =>
  new Promise((r) => {
    const t = setTimeout(r, ms);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(t);
        r();
      },
      { once: true },
    );
  });
const stats = { started: 0, finished: 0, cancelled: 0, sessions: 0, deleted: 0 };

const codec = createRequestStateCodec({ key: new Uint8Array(32).fill(7), ttlSeconds: 600 });
const FULL_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, on an object that nobody awaits.
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};
const strSchema = (key) => ({ type: "object", properties: { [key]: { type: "string" } }, required: [key] });
const okSchema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
const ask = (message, requestedSchema) => inputRequired.elicit({ message, requestedSchema });
const llm = (prompt, maxTokens = 100) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens });
const first = (t) => (t ? (Array.isArray(t.content) ? t.content[0]?.text : t.content?.text) : undefined);

let notify = null; // set to the 2026-era handler's notifier
const legacyServers = new Set();

function build(era, headersOf = () => ({})) {
  const modern = era === "modern";
  const server = new McpServer(
    { name: "mcpres-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
      },
      requestState: { verify: codec.verify },
      instructions: "Fixture for relay tests",
    },
  );
  const tool = (name, description, inputSchema, fn) =>
    server.registerTool(
      name,
      { description, ...(inputSchema ? { inputSchema } : {}) },
      inputSchema ? fn : (ctx) => fn({}, ctx),
    );
  const progress = async (ctx, value, total, message) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    if (progressToken !== undefined)
      await ctx.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress: value, total, ...(message ? { message } : {}) },
      });
  };
  const clientCaps = (ctx) =>
    ctx.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ??
    server.server.getClientCapabilities?.() ??
    {};

  // first tool: must answer with no arguments (used by header checks)
  tool("test_simple_text", "Returns simple text", null, async () =>
    text("This is a simple text response for testing."),
  );
  tool("test_image_content", "Returns an image", null, async () => ({
    content: [{ type: "image", data: PNG, mimeType: "image/png" }],
  }));
  tool("test_audio_content", "Returns audio", null, async () => ({
    content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }],
  }));
  tool("test_embedded_resource", "Returns an embedded resource", null, async () => ({
    content: [
      {
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      },
    ],
  }));
  tool("test_multiple_content_types", "Returns several content types", null, async () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      { type: "image", data: PNG, mimeType: "image/png" },
      {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: JSON.stringify({ test: "data", value: 123 }),
        },
      },
    ],
  }));
  const logging = async (_a, ctx) => {
    await ctx.mcpReq.log("info", "Tool execution started");
    await sleep(50);
    await ctx.mcpReq.log("info", "Tool processing data");
    await sleep(50);
    await ctx.mcpReq.log("info", "Tool execution completed");
    return text("logged");
  };
  tool("test_tool_with_logging", "Logs while it runs", null, logging);
  tool("test_logging_tool", "Logs while it runs", null, logging);
  tool("test_error_handling", "Always fails", null, async () => ({
    isError: true,
    ...text("This tool intentionally returns an error for testing"),
  }));
  tool("test_tool_with_progress", "Reports progress", null, async (_a, ctx) => {
    for (const [v, wait] of [
      [0, 50],
      [50, 50],
      [100, 0],
    ]) {
      await progress(ctx, v, 100, `Completed step ${v} of 100`);
      if (wait) await sleep(wait);
    }
    return text("done");
  });
  tool("test_sampling", "Asks the client model", zz.object({ prompt: zz.string() }), async ({ prompt }, ctx) => {
    if (!modern) {
      const r = await ctx.mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: prompt } }],
        maxTokens: 100,
      });
      return text(`LLM response: ${first(r)}`);
    }
    const view = inputResponse(ctx.mcpReq.inputResponses, "answer");
    if (view.kind !== "sampling") return inputRequired({ inputRequests: { answer: llm(prompt) } });
    return text(`LLM response: ${first(view.result ?? view)}`);
  });
  const elicitTool = (name, description, inputSchema, message, requestedSchema, label) =>
    tool(name, description, inputSchema, async (a, ctx) => {
      if (!modern) {
        const r = await ctx.mcpReq.elicitInput({ message: message(a), requestedSchema });
        return text(`${label}: action=${r.action}, content=${JSON.stringify(r.content ?? {})}`);
      }
      const raw = ctx.mcpReq.inputResponses?.answer;
      if (!raw) return inputRequired({ inputRequests: { answer: ask(message(a), requestedSchema) } });
      return text(`${label}: action=${raw.action}, content=${JSON.stringify(raw.content ?? {})}`);
    });
  elicitTool(
    "test_elicitation",
    "Asks the user",
    zz.object({ message: zz.string() }),
    (a) => a.message,
    {
      type: "object",
      properties: {
        username: { type: "string", description: "User's response" },
        email: { type: "string", description: "User's email address" },
      },
      required: ["username", "email"],
    },
    "User response",
  );
  elicitTool(
    "test_elicitation_sep1034_defaults",
    "Elicitation with defaults",
    null,
    () => "Please confirm your details",
    {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
      required: [],
    },
    "Elicitation completed",
  );
  const titled = (a) => a.map(([c, t]) => ({ const: c, title: t }));
  elicitTool(
    "test_elicitation_sep1330_enums",
    "Elicitation with enums",
    null,
    () => "Please pick",
    {
      type: "object",
      required: [],
      properties: {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: {
          type: "string",
          oneOf: titled([
            ["value1", "First Option"],
            ["value2", "Second Option"],
            ["value3", "Third Option"],
          ]),
        },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: {
          type: "array",
          items: {
            anyOf: titled([
              ["value1", "First Choice"],
              ["value2", "Second Choice"],
              ["value3", "Third Choice"],
            ]),
          },
        },
      },
    },
    "Elicitation completed",
  );
  tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", fromJsonSchema(FULL_SCHEMA), async (a) =>
    text(JSON.stringify(a)),
  );
  tool("test_reconnection", "Drops its stream in mid-call", null, async (_a, ctx) => {
    ctx.http?.closeSSE?.();
    await sleep(150);
    return text("Reconnection test completed successfully");
  });
  tool(
    "test_x_mcp_header",
    "Has a parameter mirrored into a header",
    fromJsonSchema({
      type: "object",
      properties: { region: { type: "string", "x-mcp-header": "Region" }, query: { type: "string" } },
      required: ["query"],
    }),
    async (a) => text(`region=${a.region ?? ""} query=${a.query}`),
  );

  // ---- 2026-era diagnostics
  tool("test_missing_capability", "Needs the sampling capability", null, async (_a, ctx) => {
    // an embedded request the client did not declare makes the SDK answer -32021
    return clientCaps(ctx).sampling ? text("ok") : inputRequired({ inputRequests: { q: llm("hello") } });
  });
  const once = (name, reqs, withState, done) =>
    tool(name, `input_required: ${name}`, null, async (_a, ctx) => {
      const ir = ctx.mcpReq.inputResponses ?? {};
      const missing = Object.fromEntries(Object.entries(reqs()).filter(([k]) => ir[k] === undefined));
      if (Object.keys(missing).length)
        return inputRequired({
          inputRequests: missing,
          ...(withState ? { requestState: await codec.mint({ t: name }) } : {}),
        });
      return text(done(ir, ctx));
    });
  tool("test_input_required_result_elicitation", "Asks for a name", null, async (_a, ctx) => {
    const got = acceptedContent(ctx.mcpReq.inputResponses, "user_name", zz.object({ name: zz.string() }));
    if (!got) return inputRequired({ inputRequests: { user_name: ask("What is your name?", strSchema("name")) } });
    return text(`Hello, ${got.name}!`);
  });
  tool("test_streaming_elicitation", "Asks for a name after a notification", null, async (_a, ctx) => {
    await progress(ctx, 1, 2);
    const got = acceptedContent(ctx.mcpReq.inputResponses, "user_name", zz.object({ name: zz.string() }));
    return got
      ? text(`Hello, ${got.name}!`)
      : inputRequired({ inputRequests: { user_name: ask("What is your name?", strSchema("name")) } });
  });
  once(
    "test_input_required_result_sampling",
    () => ({ capital_question: llm("What is the capital of France?") }),
    false,
    (ir) => `Answer: ${first(ir.capital_question)}`,
  );
  once(
    "test_input_required_result_list_roots",
    () => ({ client_roots: inputRequired.listRoots() }),
    false,
    (ir) => `Roots: ${JSON.stringify(ir.client_roots?.roots ?? [])}`,
  );
  once(
    "test_input_required_result_request_state",
    () => ({ confirm: ask("Please confirm", okSchema) }),
    true,
    (_i, ctx) => (ctx.mcpReq.requestState() ? "state-ok" : "state-missing"),
  );
  once(
    "test_input_required_result_tampered_state",
    () => ({ confirm: ask("Please confirm", okSchema) }),
    true,
    () => "confirmed",
  );
  once(
    "test_input_required_result_multiple_inputs",
    () => ({
      user_name: ask("What is your name?", strSchema("name")),
      greeting: llm("Generate a greeting", 50),
      client_roots: inputRequired.listRoots(),
    }),
    true,
    () => "all received",
  );
  tool("test_input_required_result_multi_round", "Two questions in order", null, async (_a, ctx) => {
    const st = ctx.mcpReq.requestState();
    const ir = ctx.mcpReq.inputResponses ?? {};
    if (st?.step === 2 && ir.step2) return text(`${st.name} likes ${ir.step2.content?.color}`);
    if (ir.step1)
      return inputRequired({
        inputRequests: { step2: ask("Step 2: What is your favorite color?", strSchema("color")) },
        requestState: await codec.mint({ step: 2, name: ir.step1.content?.name }),
      });
    return inputRequired({
      inputRequests: { step1: ask("Step 1: What is your name?", strSchema("name")) },
      requestState: await codec.mint({ step: 1 }),
    });
  });
  tool("test_input_required_result_capabilities", "Asks only what the client can do", null, async (_a, ctx) => {
    const c = clientCaps(ctx);
    const r = {};
    if (c.sampling) r.llm = llm("Say hi");
    if (c.elicitation) r.name = ask("Name?", strSchema("name"));
    if (c.roots) r.roots = inputRequired.listRoots();
    if (!Object.keys(r).length || Object.keys(r).every((k) => ctx.mcpReq.inputResponses?.[k])) return text("done");
    return inputRequired({ inputRequests: r });
  });
  const changed = (kind) => async () => {
    if (kind === "tools") {
      notify?.toolsChanged();
      for (const s of legacyServers) s.sendToolListChanged();
    }
    if (kind === "prompts") {
      notify?.promptsChanged();
      for (const s of legacyServers) s.sendPromptListChanged();
    }
    if (kind === "resource") {
      notify?.resourceUpdated("test://watched-resource");
      for (const s of legacyServers) s.server.sendResourceUpdated({ uri: "test://watched-resource" }).catch(() => {});
    }
    return text(`${kind} changed`);
  };
  tool("test_trigger_tool_change", "Signals tools/list_changed", null, changed("tools"));
  tool("test_trigger_prompt_change", "Signals prompts/list_changed", null, changed("prompts"));
  tool("test_trigger_resource_update", "Signals resources/updated", null, changed("resource"));

  // ---- smoke tools (for clients.mjs and relay checks)
  tool("smoke_echo", "Echoes text", zz.object({ text: zz.string() }), async (a) => text(a.text));
  tool("smoke_big", "Returns a text of N bytes", zz.object({ bytes: zz.number().int() }), async (a) =>
    text("x".repeat(a.bytes)),
  );
  tool(
    "smoke_long",
    "Counts steps, reports progress, stops when cancelled",
    zz.object({ steps: zz.number().int(), delayMs: zz.number().int() }),
    async (a, ctx) => {
      stats.started++;
      for (let i = 1; i <= a.steps; i++) {
        await sleep(a.delayMs, ctx.mcpReq.signal);
        if (ctx.mcpReq.signal.aborted) {
          stats.cancelled++;
          return text("cancelled");
        }
        await progress(ctx, i, a.steps, `step ${i}`);
      }
      stats.finished++;
      return text(`finished ${a.steps}`);
    },
  );
  tool("smoke_silent", "Waits, says nothing, then answers", zz.object({ ms: zz.number().int() }), async (a, ctx) => {
    await sleep(a.ms, ctx.mcpReq.signal);
    if (ctx.mcpReq.signal.aborted) stats.cancelled++;
    return text("waited");
  });
  tool("smoke_stats", "Counters of this process", null, async () => text(JSON.stringify(stats)));
  tool("smoke_headers", "Request headers as the server saw them", null, async (_a, ctx) =>
    text(JSON.stringify(ctx.http?.req ? Object.fromEntries(ctx.http.req.headers) : headersOf())),
  );

  const res = (name, uri, mimeType, body) =>
    server.registerResource(name, uri, { description: name, mimeType }, async () => ({
      contents: [{ uri, mimeType, ...body }],
    }));
  res("static-text", "test://static-text", "text/plain", { text: "This is the content of the static text resource." });
  res("static-binary", "test://static-binary", "image/png", { blob: PNG });
  res("watched", "test://watched-resource", "text/plain", { text: "Watched resource content" });
  res("example", "test://example-resource", "text/plain", { text: "Example" });
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Template", mimeType: "application/json" },
    async (uri, { id }) => ({
      contents: [
        {
          uri: uri.href ?? String(uri),
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
  if (!modern) {
    // 2025-era per-resource subscription
    server.server.setRequestHandler("resources/subscribe", async () => ({}));
    server.server.setRequestHandler("resources/unsubscribe", async () => ({}));
  }

  const um = (...content) => ({ messages: content.map((c) => ({ role: "user", content: c })) });
  server.registerPrompt("test_simple_prompt", { description: "Simple prompt" }, async () =>
    um({ type: "text", text: "This is a simple prompt for testing." }),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "Prompt with arguments",
      argsSchema: zz.object({
        arg1: completable(zz.string(), (v) => ["paris", "park", "party"].filter((x) => x.startsWith(v))),
        arg2: zz.string(),
      }),
    },
    async ({ arg1, arg2 }) => um({ type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Prompt with a resource", argsSchema: zz.object({ resourceUri: zz.string() }) },
    async ({ resourceUri }) =>
      um(
        {
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." },
        },
        { type: "text", text: "Please process the embedded resource above." },
      ),
  );
  server.registerPrompt("test_prompt_with_image", { description: "Prompt with an image" }, async () =>
    um({ type: "image", data: PNG, mimeType: "image/png" }, { type: "text", text: "Please analyze the image above." }),
  );
  server.registerPrompt("test_input_required_result_prompt", { description: "Prompt that asks first" }, async (ctx) => {
    const got = acceptedContent(ctx.mcpReq.inputResponses, "user_context", zz.object({ context: zz.string() }));
    return got
      ? um({ type: "text", text: `Context: ${got.context}` })
      : inputRequired({
          inputRequests: { user_context: ask("What context should the prompt use?", strSchema("context")) },
        });
  });
  return server;
}

if (opt("stdio", false)) {
  const { serveStdio } = await import("@modelcontextprotocol/server/stdio");
  serveStdio(({ era } = {}) => {
    const s = build(era ?? "legacy");
    legacyServers.add(s);
    return s;
  });
  console.error("fixture on stdio");
} else {
  const {
    NodeStreamableHTTPServerTransport,
    toNodeHandler,
    toWebRequest,
    localhostHostValidation,
    localhostOriginValidation,
  } = await import("@modelcontextprotocol/node");
  const sessions = new Map();
  const eventStore = () => {
    // one per session
    const ev = [];
    let n = 0;
    return {
      async storeEvent(streamId, message) {
        const id = `${streamId}::${++n}`;
        ev.push({ id, streamId, message });
        return id;
      },
      async getStreamIdForEventId(id) {
        return ev.find((e) => e.id === id)?.streamId;
      },
      async replayEventsAfter(lastId, { send }) {
        const at = ev.findIndex((e) => e.id === lastId);
        if (at < 0) return "";
        const { streamId } = ev[at];
        for (const e of ev.slice(at + 1))
          if (e.streamId === streamId && Object.keys(e.message).length) await send(e.id, e.message);
        return streamId;
      },
    };
  };
  const modern = createMcpHandler(({ era } = {}) => build(era ?? "modern"), {
    legacy: opt("stateless", false) ? "stateless" : "reject",
    ...(opt("json", false) ? { responseMode: "json" } : {}),
    maxRequestBodySize: 32 << 20,
  });
  notify = modern.notify;
  const modernNode = toNodeHandler(modern, { maxRequestBodySize: 32 << 20 });
  const json = (res, code, body, h = {}) =>
    res.writeHead(code, { "content-type": "application/json", ...h }).end(JSON.stringify(body));
  const legacy = async (req, res, body) => {
    const sid = req.headers["mcp-session-id"];
    if (sid && sessions.has(sid)) {
      const t = sessions.get(sid);
      await t.handleRequest(req, res, body);
      if (req.method === "DELETE") {
        sessions.delete(sid);
        stats.deleted++;
      }
      return;
    }
    if (!sid && body && isInitializeRequest(body)) {
      const t = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        ...(opt("no-events", false) ? {} : { eventStore: eventStore() }),
        retryInterval: 300,
        onsessioninitialized: (id) => {
          sessions.set(id, t);
          stats.sessions++;
        },
      });
      const server = build("legacy");
      legacyServers.add(server);
      t.onclose = () => {
        legacyServers.delete(server);
        if (t.sessionId) sessions.delete(t.sessionId);
      };
      await server.connect(t);
      return t.handleRequest(req, res, body);
    }
    if (sid) return json(res, 404, { jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null });
    return json(res, 400, {
      jsonrpc: "2.0",
      error: { code: -32000, message: "Bad Request: Session ID required" },
      id: null,
    });
  };
  const okHost = localhostHostValidation(),
    okOrigin = localhostOriginValidation();
  const listener = http.createServer(async (req, res) => {
    try {
      if (!okHost(req, res) || !okOrigin(req, res)) return;
      const url = new URL(req.url, "http://x");
      const self = PUBLIC_URL || `http://127.0.0.1:${listener.address().port}/mcp`;
      if (TOKEN && url.pathname.startsWith("/.well-known/oauth-protected-resource"))
        return json(res, 200, {
          resource: self,
          authorization_servers: ["https://auth.example.invalid"],
          scopes_supported: ["mcp"],
          bearer_methods_supported: ["header"],
        });
      if (url.pathname !== "/mcp") return json(res, 404, { error: "not found" });
      if (TOKEN && req.headers.authorization !== `Bearer ${TOKEN}`)
        return json(
          res,
          401,
          { error: "invalid_token", error_description: "Missing or bad token" },
          {
            "www-authenticate": `Bearer error="invalid_token", resource_metadata="${new URL(self).origin}/.well-known/oauth-protected-resource/mcp", scope="mcp"`,
          },
        );
      if (req.method !== "POST")
        return opt("stateless", false)
          ? json(
              res,
              405,
              { jsonrpc: "2.0", error: { code: -32000, message: "Method not allowed." }, id: null },
              { allow: "POST" },
            )
          : await legacy(req, res);
      const chunks = [];
      for await (const c of req) chunks.push(c);
      let body;
      try {
        body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      } catch {
        return json(res, 400, { jsonrpc: "2.0", error: { code: -32700, message: "Parse error" }, id: null });
      }
      const probe = await toWebRequest(req, body);
      if (!opt("stateless", false) && (await isLegacyRequest(probe))) await legacy(req, res, body);
      else await modernNode(req, res, body);
    } catch (e) {
      console.error(e);
      if (!res.headersSent)
        json(res, 500, { jsonrpc: "2.0", error: { code: -32603, message: String(e?.message ?? e) }, id: null });
    }
  });
  listener.listen(PORT, "127.0.0.1", () => console.log(`fixture on http://127.0.0.1:${listener.address().port}/mcp`));
}
