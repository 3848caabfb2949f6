import type { AnyElysia } from "elysia";
import * as v from "valibot";
import { FrontPage } from "../../views/front.tsx";
import type { PageAssets } from "../../views/layout.tsx";
import type { Proxies } from "../auth/addresses.ts";
import { joinOrigin } from "../join/origin.ts";
import { errorResponses, jsonAnswer, rawAnswer } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { frontFacts, modelsLine, ROBOTS } from "./facts.ts";
import { FAVICON } from "./favicon.ts";

export interface FrontRouteOptions {
  readonly version: string;
  readonly publicUrl: string | undefined;
  readonly proxies: Proxies;
  /** Whether clients need a key now. */
  readonly hasKeys: () => boolean;
  readonly assets: () => PageAssets;
  readonly page: (request: Request, html: string) => Response;
}

/** What an answer depends on: who asks, and by which name of this server. */
const VARIES = "accept, host, x-forwarded-host, x-forwarded-proto";

const frontSchema = v.pipe(
  v.object({
    name: v.literal("moorage"),
    version: v.string(),
    base_url: v.pipe(v.string(), v.description("The base URL for OpenAI clients.")),
    links: v.pipe(v.record(v.string(), v.string()), v.description("Where to go from here.")),
  }),
  v.description("What this server is."),
);

/** The door of the server: what it is, for people and for programs, and the two files that browsers and crawlers ask for. */
export function frontRoutes({ version, publicUrl, proxies, hasKeys, assets, page }: FrontRouteOptions): AnyElysia {
  return createRoutes()
    .get(
      "/",
      ({ visit }) => {
        const { request } = visit;
        const origin = joinOrigin(visit, publicUrl, proxies);
        const facts = frontFacts({ origin, version });
        const isForPeople = (request.headers.get("accept") ?? "").includes("text/html");
        const text = isForPeople
          ? FrontPage({
              assets: assets(),
              baseUrl: facts.base_url,
              line: modelsLine(origin, hasKeys()),
              hasKeys: hasKeys(),
            })
          : JSON.stringify(facts);
        const answer = isForPeople
          ? page(request, text)
          : new Response(text, {
              headers: { "content-type": "application/json", "x-content-type-options": "nosniff" },
            });
        return keptByReader(request, answer, text);
      },
      {
        detail: {
          tags: ["System"],
          security: [],
          summary: "What this server is",
          description: "A page for browsers, and JSON for everything else.",
          responses: {
            200: {
              description: "The name, the version and where to go from here.",
              content: { ...jsonAnswer(frontSchema).content, ...rawAnswer("text/html", "").content },
            },
            ...errorResponses("host_not_allowed", "method_not_allowed"),
          },
        },
      },
    )
    .get("/favicon.ico", () => new Response(FAVICON, { headers: asFile("image/x-icon") }), { detail: { hide: true } })
    .get("/robots.txt", () => new Response(ROBOTS, { headers: asFile("text/plain; charset=utf-8") }), {
      detail: { hide: true },
    });
}

/** Lets the reader keep an answer, and ask each time whether it still holds. Answers 304 if it does. */
function keptByReader(request: Request, answer: Response, text: string): Response {
  const { headers } = answer;
  // A weak tag: the same text may be compressed or not.
  const etag = `W/"${Bun.hash(text).toString(36)}"`;
  const vary = headers.get("vary");
  headers.set("cache-control", "private, no-cache");
  headers.set("vary", vary === null ? VARIES : `${vary}, ${VARIES}`);
  headers.set("etag", etag);
  const known = (request.headers.get("if-none-match") ?? "").split(",").map((each) => each.trim());
  if (!known.includes(etag)) return answer;
  for (const name of ["content-type", "content-encoding"]) headers.delete(name);
  return new Response(null, { status: 304, headers });
}

/** A file that changes with the version at most. */
function asFile(type: string): Record<string, string> {
  return { "content-type": type, "cache-control": "public, max-age=86400", "x-content-type-options": "nosniff" };
}
