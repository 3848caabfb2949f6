import { expect, test } from "bun:test";
import { createApp } from "../../../src/app.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { defaultConfig } from "../../support/default-config.ts";

const app = createApp(defaultConfig({ apiKeys: ["k"], clientKeys: ["c"], startGraceMs: 0 }), {
  clock: systemClock,
  ids: systemIds,
  log: silentLog,
});

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Media {
  readonly examples?: Readonly<Record<string, { readonly value: object }>>;
  readonly example?: unknown;
  readonly schema: Readonly<Record<string, unknown>>;
}

async function readDocument(): Promise<Readonly<Record<string, Readonly<Record<string, Operation>>>>> {
  const response = await app.handle(new Request("http://localhost/api/client/openapi.json"));
  return ((await response.json()) as { paths: Record<string, Record<string, Operation>> }).paths; // As OpenAPI has it.
}

test("the document lists every route but the files of its pages and second notations", async () => {
  const paths = await readDocument();
  const unlisted = app.elysia.routes
    .filter(({ method, path }) => {
      const shown = path.replaceAll(/:(\w+)/g, "{$1}").replace(/\/\*$/, "/{path}");
      return paths[shown]?.[method.toLowerCase()] === undefined;
    })
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !/^GET \/(?:api\/client|state\/assets|favicon\.ico$|robots\.txt$)/.test(route));
  expect(unlisted.toSorted()).toEqual(
    [
      // Methods that MCP and OAuth do not have, which are answered with an error.
      "ALL /.well-known/oauth-authorization-server",
      "ALL /.well-known/oauth-authorization-server/api/mcp/id/:relay_id",
      "ALL /.well-known/oauth-authorization-server/api/mcp/id/:relay_id/mcp",
      "ALL /authorize",
      "ALL /register",
      "ALL /token",
      "ALL /api/mcp/id/:relay_id",
      "ALL /api/mcp/id/:relay_id/*",
      "HEAD /api/mcp/id/:relay_id",
      "HEAD /api/mcp/id/:relay_id/*",
      // Listed with the suffix /mcp, the only one that is served.
      "DELETE /api/mcp/id/:relay_id/*",
      "GET /api/mcp/id/:relay_id/*",
      "POST /api/mcp/id/:relay_id/*",
      // Other places where clients look for /v1/rerank.
      "POST /api/llm/rerank",
      "POST /api/llm/v1/v2/rerank",
      "POST /api/llm/v2/rerank",
      "POST /rerank",
      "POST /v1/v2/rerank",
      "POST /v2/rerank",
      // The metadata of the authorization server, where some clients look for that of a relay.
      "GET /.well-known/oauth-authorization-server/api/mcp/id/:relay_id",
      "GET /.well-known/oauth-authorization-server/api/mcp/id/:relay_id/mcp",
      // The metadata for that suffix.
      "GET /.well-known/oauth-protected-resource/api/mcp/id/:relay_id/mcp",
      // Listed as /api/state/view/{id}.html.
      "GET /api/state/models/*",
      "GET /api/state/view/:file",
      // Ids of models with slashes, which the route for {id} lists.
      "GET /api/asr/v1/models/*",
      "GET /api/llm/id/:worker_id/v1/models/*",
      "GET /api/llm/v1/models/*",
      "GET /v1/models/*",
    ].toSorted(),
  );
});

test("the documented form of a relay's errors is the one that is sent", async () => {
  const documented = (await readDocument())["/api/mcp/id/{relay_id}"]?.["post"]?.responses["503"]?.content;
  const example = documented?.["application/json"]?.examples?.["relay_unavailable"]?.value as
    | { readonly error: { readonly code: number; readonly data: object } }
    | undefined; // As JSON-RPC has it.
  const sent = await app.handle(
    new Request("http://localhost/api/mcp/id/nobody", {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    }),
  );
  expect(sent.status).toBe(503);
  const body = (await sent.json()) as typeof example; // What the test is about.
  expect(body?.error.code).toBe(example?.error.code ?? 0);
  expect(Object.keys(body?.error ?? {})).toEqual(Object.keys(example?.error ?? {}));
  expect(body?.error.data).toEqual({ ...example?.error.data, req_id: sent.headers.get("x-request-id") });
});

test("answers to inference have schemas and examples, and no schema has an empty list of required fields", async () => {
  const paths = await readDocument();
  for (const path of ["chat/completions", "completions", "responses", "messages", "embeddings", "rerank"]) {
    const answer = paths[`/v1/${path}`]?.["post"]?.responses["200"]?.content?.["application/json"];
    expect(Object.keys(answer?.schema["properties"] ?? {}).length).toBeGreaterThan(0);
    expect(answer?.example).toBeDefined();
  }
  expect(JSON.stringify(paths)).not.toContain('"required":[]');
});

test("descriptions hold no angle bracket that Markdown would take for an element", async () => {
  const texts: string[] = [];
  JSON.stringify(await readDocument(), (key, value: unknown) => {
    if (key === "description" && typeof value === "string") texts.push(value);
    return value;
  });
  expect(texts.length).toBeGreaterThan(100);
  expect(texts.filter((text) => text.replaceAll(/`[^`]*`/g, "").includes("<"))).toEqual([]);
});
