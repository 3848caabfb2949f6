import { describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import * as v from "valibot";
import { shownAs } from "../../../src/openapi/document.ts";
import { openapiRoutes } from "../../../src/openapi/routes.ts";
import { API_KEY_SECURITY, doc, errorResponses, jsonAnswer, rawAnswer, schemaOf } from "../../../src/openapi/schema.ts";

const chatSchema = v.pipe(
  v.looseObject({
    model: v.pipe(v.string(), v.description("Which model."), v.examples(["llama3:8b"])),
    stream: v.optional(v.boolean(), false),
    stop: v.nullish(v.union([v.string(), v.array(v.string())])),
  }),
  v.description("A chat."),
);

/** What stands at a place in some JSON; undefined where there is no such place. */
function at(json: unknown, ...place: readonly string[]): unknown {
  let value = json;
  for (const key of place) value = (value as Record<string, unknown> | undefined)?.[key]; // undefined for what has no keys
  return value;
}

const keysAt = (json: unknown, ...place: readonly string[]): readonly string[] => Object.keys(at(json, ...place) ?? {});

const TAGS = [
  { name: "Inference", description: "A plugin's heading." },
  { name: "Audio", description: "Another plugin's heading, which no route uses." },
];

function createRoutes() {
  return new Elysia()
    .use(openapiRoutes({ version: "1.2.3", tags: TAGS }))
    .post("/v1/chat/completions", ({ request }) => new Response(`body used: ${request.bodyUsed}`), {
      parse: "none",
      body: doc(chatSchema),
      response: { 200: doc(v.pipe(v.looseObject({ id: v.string() }), v.description("The completion.")), "output") },
      detail: {
        tags: ["Inference"],
        summary: "Chat",
        security: API_KEY_SECURITY,
        responses: errorResponses("invalid_api_key", "queue_full", "no_worker_available"),
      },
    })
    .get("/api/files/:file", () => new Response(""), {
      detail: shownAs("/api/files/{id}.html", {
        tags: ["State"],
        summary: "File",
        responses: { 200: rawAnswer("text/html", "A page.") },
      }),
    })
    .get("/api/things/:id", () => new Response(""), {
      detail: { summary: "Thing", responses: { 200: jsonAnswer(v.object({ a: v.number() }), "It.") } },
    })
    .post("/hidden", () => new Response(""), { detail: { hide: true } })
    .get("/wild/*", () => new Response(""));
}

async function documentOf(app: ReturnType<typeof createRoutes>): Promise<unknown> {
  const response = await app.handle(new Request("http://localhost/api/client/openapi.json"));
  expect(response.headers.get("content-type")).toBe("application/json");
  return response.json();
}

describe("the OpenAPI document", async () => {
  const document = await documentOf(createRoutes());
  const chat = at(document, "paths", "/v1/chat/completions", "post");

  test("shows the routes of its app, without hidden ones and wildcards", () => {
    expect(at(document, "openapi")).toStartWith("3.0");
    expect(at(document, "info", "version")).toBe("1.2.3");
    expect([...keysAt(document, "paths")].sort()).toEqual([
      "/api/client/openapi.json",
      "/api/files/{id}.html",
      "/api/things/{id}",
      "/v1/chat/completions",
    ]);
  });
  test("shows a body that its route reads itself as JSON, by its schema", () => {
    expect(at(chat, "requestBody")).toEqual({
      required: true,
      content: {
        "application/json": {
          schema: {
            type: "object",
            description: "A chat.",
            required: ["model"],
            properties: {
              model: { type: "string", description: "Which model.", example: "llama3:8b" },
              stream: { type: "boolean", default: false },
              stop: {
                anyOf: [
                  { type: "string", nullable: true },
                  { type: "array", items: { type: "string" }, nullable: true },
                ],
              },
            },
          },
        },
      },
    });
  });
  test("shows answers and errors side by side, with the codes of one status together", () => {
    expect(keysAt(chat, "responses")).toEqual(["200", "401", "503"]);
    expect(at(chat, "responses", "200", "description")).toBe("The completion.");
    expect(at(chat, "responses", "200", "content", "application/json", "schema", "properties")).toEqual({
      id: { type: "string" },
    });
    const busy = at(chat, "responses", "503");
    expect(keysAt(busy, "content", "application/json", "examples")).toEqual(["queue_full", "no_worker_available"]);
    expect(at(busy, "content", "application/json", "schema")).toEqual({ $ref: "#/components/schemas/Error" });
    expect(at(busy, "headers", "Retry-After", "schema", "type")).toBe("integer");
    expect(at(document, "components", "schemas", "Error")).toBeDefined();
  });
  test("names the parameters of paths, also in the router's other notation", () => {
    expect(at(document, "paths", "/api/things/{id}", "get", "parameters")).toEqual([
      { in: "path", name: "id", required: true, schema: { type: "string" } },
    ]);
    expect(JSON.stringify(document)).not.toContain("x-shown-path");
  });
  test("gives each operation a unique id that is a valid identifier in any language", () => {
    const ids = keysAt(document, "paths").flatMap((path) =>
      keysAt(document, "paths", path).map((method) => at(document, "paths", path, method, "operationId")),
    );
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
    expect(at(chat, "operationId")).toBe("postV1ChatCompletions");
  });
  test("lists exactly the tags and security schemes that are used", () => {
    expect(keysAt(document, "tags").map((place) => at(document, "tags", place, "name"))).toEqual([
      "System",
      "State",
      "Inference",
    ]);
    expect(keysAt(document, "components", "securitySchemes")).toEqual(["ApiKey", "ApiKeyHeader"]);
  });
});

test("a route with a documented body and answer does not read, validate or change them", async () => {
  const request = new Request("http://localhost/v1/chat/completions", {
    method: "POST",
    body: "{not json",
    headers: { "content-type": "application/json" },
  });
  const response = await createRoutes().handle(request);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("body used: false");
});

test("a documented schema still validates if Elysia is asked to", async () => {
  const app = new Elysia().post("/x", ({ body }) => Response.json(body), { body: doc(chatSchema) });
  const post = (body: object): Promise<Response> =>
    app.handle(
      new Request("http://localhost/x", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    );
  expect(await (await post({ model: "m", extra: 1 })).json()).toEqual({ model: "m", extra: 1, stream: false });
  expect((await post({ model: 5 })).status).toBe(422);
});

test("a nullable enum has a type", () => {
  expect(schemaOf(v.object({ a: v.literal("x"), b: v.picklist([1, 2]) }))).toMatchObject({
    properties: { a: { type: "string", enum: ["x"] }, b: { type: "number", enum: [1, 2] } },
  });
});

describe("the Swagger UI page", () => {
  const get = (path: string): Promise<Response> => createRoutes().handle(new Request(`http://localhost${path}`));

  test.each(["/api/client", "/api/client/"])("stands at %s and loads everything from this origin", async (path) => {
    const page = await get(path);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self';");
    const html = await page.text();
    const urls = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1] ?? "");
    expect(urls).toHaveLength(4);
    for (const url of urls) {
      expect(url).toStartWith("/api/client/");
      const asset = await get(url);
      expect(asset.status).toBe(200);
      expect((await asset.bytes()).length).toBeGreaterThan(100);
    }
    // The policy would stop one.
    expect(html).not.toMatch(/<script>|<style|\son\w+=/);
  });
  test("gets the document's absolute address", async () => {
    expect(await (await get("/api/client/start.js")).text()).toContain('url: "/api/client/openapi.json"');
  });
});
