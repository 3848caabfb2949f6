import { type AnyElysia, Elysia } from "elysia";
import { clientFiles, packageFile } from "../system/browser-files.ts";
import { buildDocument, type DocumentOptions } from "./document.ts";
import { nameServedModels, type ServedModel } from "./example-models.ts";
import { errorResponses, rawAnswer } from "./schema.ts";

export interface ApiPageOptions extends DocumentOptions {
  /** Returns the models that the sender of a request may know; the examples name them. */
  readonly served?: (request: Request) => readonly ServedModel[];
}

/**
 * The API's description at `/api/client/openapi.json`, and Swagger UI around it at `/api/client/`. Everything the page
 * loads comes from here, none of it from another host. Describes all routes of the app it is mounted on.
 */
export function openapiRoutes(options: ApiPageOptions): AnyElysia {
  const { served = () => [] } = options;
  // Written on the first request, when every route is mounted. Routes do not change after that.
  let document: Promise<string> | undefined;
  const routes = new Elysia();
  return routes
    .get(
      "/api/client/openapi.json",
      async ({ request }) => {
        // The routes of the whole app. The method is protected in Elysia's types, which brackets circumvent.
        document ??= buildDocument(routes["getGlobalRoutes"](), options).then((json) => JSON.stringify(json));
        return new Response(nameServedModels(await document, served(request)), {
          // Its examples depend on who asks.
          headers: { "content-type": "application/json", "cache-control": "private, no-cache" },
        });
      },
      {
        detail: {
          tags: ["System"],
          summary: "This description",
          security: [],
          responses: {
            200: rawAnswer("application/json", "An OpenAPI 3.0 document."),
            ...errorResponses("method_not_allowed"),
          },
        },
      },
    )
    .get("/api/client", () => new Response(PAGE, { headers: PAGE_HEADERS }), { detail: { hide: true } })
    .get("/api/client/start.js", () => asset(ownScript(), "text/javascript"), {
      detail: { hide: true },
    })
    .get("/api/client/swagger-ui.css", () => asset(packageFile("swagger-ui.css"), "text/css"), {
      detail: { hide: true },
    })
    .get("/api/client/swagger-ui-bundle.js", () => asset(packageFile("swagger-ui-bundle.js"), "text/javascript"), {
      detail: { hide: true },
    })
    .get("/api/client/favicon.png", () => asset(packageFile("favicon.png"), "image/png"), {
      detail: { hide: true },
    });
}

function ownScript(): string {
  const path = clientFiles().get("api-docs.js");
  if (path === undefined) throw new Error("views/client has no api-docs.js");
  return path;
}

/** Caches for an hour: the names have no version, and an upgraded server must not get last month's script. */
function asset(path: string, type: string): Response {
  return new Response(Bun.file(path), {
    headers: {
      "content-type": `${type}; charset=utf-8`,
      "cache-control": "public, max-age=3600",
      "x-content-type-options": "nosniff",
    },
  });
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Moorage API</title>
<link rel="stylesheet" href="/api/client/swagger-ui.css">
<link rel="icon" type="image/png" href="/api/client/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/client/swagger-ui-bundle.js"></script>
<script src="/api/client/start.js"></script>
</body>
</html>
`;

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-cache",
  // Swagger UI sets inline styles and uses icons from data: URLs. Its scripts need no eval.
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
};
