import { Elysia } from "elysia";
import { SHARED_SCHEMAS } from "./schema.ts";

/** The parts of a mounted route that the document is made of. */
export interface MountedRoute {
  readonly method: string;
  readonly path: string;
  /** Elysia's hooks: `detail`, schemas, and others that matter only when a request runs. */
  readonly hooks: Readonly<Record<string, unknown>>;
}

type Detail = Readonly<Record<string, unknown>>;

const DOCUMENT_PATH = "/-/document";

const SHOWN_PATH = "x-shown-path";

/** Adds to a route's `detail` the path that the document shows, for routes whose pattern cannot express it. */
export function shownAs<D extends object>(path: string, detail: D): D {
  return { ...detail, [SHOWN_PATH]: path };
}

/** A heading of the document, with its description. */
export interface Tag {
  readonly name: string;
  readonly description: string;
}

/** The headings of the server's own routes. Plugins' headings stand between the two lists. */
const FIRST_TAGS: readonly Tag[] = [
  { name: "System", description: "Health, metrics and this description." },
  { name: "State", description: "What the server and its workers are doing, for dashboards." },
  { name: "Keys", description: "Keys with names and limits: what operators do with them, and what a holder may know." },
  { name: "Models", description: "The models of all plugins, under the base URL that every OpenAI client fits." },
];
const LAST_TAGS: readonly Tag[] = [{ name: "Workers", description: "Where workers connect, with a WebSocket." }];

export interface DocumentOptions {
  readonly version: string;
  /** The plugins' headings, in their order. Headings that no route uses are left out. */
  readonly tags: readonly Tag[];
}

const SECURITY_SCHEMES = {
  ApiKey: { type: "http", scheme: "bearer", description: "An API key of this server." },
  ApiKeyHeader: {
    type: "apiKey",
    in: "header",
    name: "x-api-key",
    description: "The same key in a header of its own. `api-key` works too.",
  },
  AdminKey: {
    type: "http",
    scheme: "bearer",
    description: "An operator's key. Where the server has none, an API key does.",
  },
  AdminKeyHeader: {
    type: "apiKey",
    in: "header",
    name: "x-api-key",
    description: "The same key in a header of its own. `api-key` works too.",
  },
  ClientKey: {
    type: "http",
    scheme: "bearer",
    description: "A worker's key: on the WebSocket upgrade, or as `client_key` in the register message.",
  },
  RelayToken: {
    type: "http",
    scheme: "bearer",
    description: "The token that the relay requires, if any. This server passes it on unread.",
  },
  Session: {
    type: "apiKey",
    in: "cookie",
    name: "moorage_session",
    description: "A sign-in to the dashboard. The State API only.",
  },
} as const;

/**
 * Builds the OpenAPI document of these routes. The swagger plugin writes it from a stand-in app that has the same paths
 * and only their documentation, because with the real app it reads `parse: "none"` as a media type and puts schemas in
 * the wrong place.
 */
export async function buildDocument(
  mounted: readonly MountedRoute[],
  { version, tags }: DocumentOptions,
): Promise<object> {
  const standIn = new Elysia();
  const renamed: Record<string, Record<string, Detail>> = {};
  const usedTags = new Set<unknown>();
  const usedSchemes = new Set<string>();
  for (const { method, path, hooks } of mounted) {
    const given = (hooks["detail"] ?? {}) as Detail; // Elysia's types want an object there
    if (given["hide"] === true || !METHODS.has(method)) continue;
    if (path.includes("*") && given[SHOWN_PATH] === undefined) continue;
    const { [SHOWN_PATH]: shownPath, ...detail } = describe(method, path, hooks, given);
    for (const tag of toList(detail["tags"])) usedTags.add(tag);
    for (const way of toList(detail["security"]))
      for (const scheme of Object.keys(way as object)) usedSchemes.add(scheme);
    if (typeof shownPath === "string") {
      renamed[shownPath] = { ...renamed[shownPath], [method.toLowerCase()]: detail };
      continue;
    }
    const { params, query, headers } = hooks;
    standIn.route(method, path, () => "", { detail, params, query, headers } as object);
  }
  // Loaded on the first request, because loading it takes a sixth of the server's start.
  const { swagger } = await import("@elysiajs/swagger");
  standIn.use(
    swagger({
      provider: "swagger-ui",
      path: "/-/page",
      specPath: DOCUMENT_PATH,
      excludeStaticFile: false,
      // The plugin's types demand a stricter reading of OpenAPI 3, but it treats this as plain JSON.
      documentation: {
        info: INFO(version),
        servers: [{ url: "/", description: "This server." }],
        tags: [...FIRST_TAGS, ...tags, ...LAST_TAGS].filter((tag) => usedTags.has(tag.name)),
        paths: renamed,
        components: {
          securitySchemes: Object.fromEntries(
            Object.entries(SECURITY_SCHEMES).filter(([name]) => usedSchemes.has(name)),
          ),
          schemas: SHARED_SCHEMAS,
        },
      } as object,
    }),
  );
  const response = await standIn.handle(new Request(`http://stand-in.invalid${DOCUMENT_PATH}`));
  if (!response.ok) throw new Error(`the OpenAPI document could not be made: ${await response.text()}`);
  return (await response.json()) as object; // the plugin's own JSON
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const METHODS = new Set(["GET", "PUT", "POST", "DELETE", "PATCH"]);

const INFO = (version: string) => ({
  title: "Moorage",
  version,
  description:
    "Private models and tools behind one public server: workers dial out to it, clients use plain OpenAI and MCP URLs. " +
    "Errors of the server itself have the shape of `Error`, except where a route's own protocol has another: MCP, and Anthropic's Messages. " +
    "What a worker's model server answers passes through untouched.",
  license: { name: "MIT", url: "https://opensource.org/license/mit" },
});

/** Completes a route's `detail` with its body, answers and id. */
function describe(method: string, path: string, hooks: MountedRoute["hooks"], detail: Detail): Detail {
  const { body, response } = hooks;
  return {
    operationId: operationId(method, path),
    ...detail,
    ...(body !== undefined && detail["requestBody"] === undefined
      ? { requestBody: { required: true, content: { "application/json": { schema: body } } } }
      : {}),
    responses: { ...toAnswers(response), ...(detail["responses"] as object | undefined) },
  };
}

/** Turns `response: { 200: schema }` into the document's form. */
function toAnswers(response: unknown): Record<string, object> {
  if (typeof response !== "object" || response === null) return {};
  const entries = Object.entries(response).filter(([status]) => /^[1-5]\d\d$/.test(status));
  return Object.fromEntries(
    entries.map(([status, schema]) => [
      status,
      { description: schema?.description ?? "The answer.", content: { "application/json": { schema } } },
    ]),
  );
}

/** Makes the id of a route, such as `postV1ChatCompletions`: unique, and valid in URLs and as a function's name. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
