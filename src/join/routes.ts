import type { AnyElysia } from "elysia";
import { JoinPage } from "../../views/join.tsx";
import type { PageAssets } from "../../views/layout.tsx";
import type { Proxies } from "../auth/addresses.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { groupedLines, type JoinFacts, joinFacts, joinText, KIND_TEXT, needText, type WorkerNeeds } from "./facts.ts";
import type { JoinKind } from "./lines.ts";
import { PACKAGE_DETAIL, PAGE_DETAIL, POWERSHELL_DETAIL, SH_DETAIL } from "./openapi.ts";
import { joinOrigin } from "./origin.ts";
import type { PackageDesk } from "./package.ts";
import { powershellScript } from "./powershell-script.ts";
import { type ScriptFacts, shScript } from "./sh-script.ts";

export interface JoinRouteOptions {
  readonly version: string;
  readonly publicUrl: string | undefined;
  readonly proxies: Proxies;
  /** The kinds of worker that this server serves. */
  readonly kinds: readonly JoinKind[];
  readonly needs: () => WorkerNeeds;
  readonly desk: Pick<PackageDesk, "get">;
  readonly assets: () => PageAssets;
  readonly page: (request: Request, html: string) => Response;
}

/** The names in requests on which an answer depends, so that no cache gives it to others. */
const VARIES = "host, x-forwarded-host, x-forwarded-proto";

/** An answer whose text names this server as the request does. Only the one who asked may keep it, and must ask again. */
const OWN_TEXT = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "private, no-cache",
  vary: VARIES,
  "x-content-type-options": "nosniff",
};

/** An hour: a server that is built anew may have the same version and other bytes. */
const PACKAGE_CACHE = "public, max-age=3600";

/** The routes by which machines get this server's own worker. They are public, and none of their answers contains a secret. */
export function joinRoutes(options: JoinRouteOptions): AnyElysia {
  const { version, publicUrl, proxies, kinds, needs, desk } = options;
  const tarball = `moorage-${version}.tgz`;
  const originOf = (visit: Visit): string => joinOrigin(visit, publicUrl, proxies);
  const script = (visit: Visit, write: (facts: ScriptFacts) => string): Response => {
    const text = write({ origin: originOf(visit), version });
    const etag = `"${Bun.hash(text).toString(36)}"`;
    return withTag(visit.request, etag, OWN_TEXT, text);
  };
  return createRoutes()
    .get(
      "/join",
      ({ visit }) =>
        describe(visit.request, joinFacts({ origin: originOf(visit), version, needs: needs(), kinds }), options),
      {
        detail: PAGE_DETAIL,
      },
    )
    .get("/join.sh", ({ visit }) => script(visit, shScript), { detail: SH_DETAIL })
    .get("/join.ps1", ({ visit }) => script(visit, powershellScript), { detail: POWERSHELL_DETAIL })
    .get(
      "/join/:file",
      async ({ visit, params }) => {
        const { file } = params;
        if (file === "moorage.tgz")
          return new Response(null, {
            status: 302,
            headers: { location: `/join/${tarball}`, "cache-control": "no-store" },
          });
        if (file !== tarball)
          throw new Fault("unknown_url", { message: `This server hands out ${tarball} and no other version.` });
        const { bytes, etag } = await desk.get();
        const headers = {
          "content-type": "application/gzip",
          "cache-control": PACKAGE_CACHE,
          "x-content-type-options": "nosniff",
        };
        return withTag(visit.request, etag, headers, bytes);
      },
      { detail: PACKAGE_DETAIL },
    );
}

/** Answers in the form that the program behind a request reads: a browser, a program that asks for JSON, or a terminal. */
function describe(request: Request, facts: JoinFacts, { assets, page }: JoinRouteOptions): Response {
  const accept = request.headers.get("accept") ?? "";
  const headers = { ...OWN_TEXT, vary: `accept, ${VARIES}` };
  if (accept.includes("text/html")) {
    const kinds = facts.kinds.map(({ kind, lines }) => ({ title: KIND_TEXT[kind], lines: groupedLines(lines) }));
    return page(request, JoinPage({ ...facts, assets: assets(), need: needText(facts.needs), kinds }));
  }
  if (!/[/+]json/.test(accept)) return new Response(joinText(facts), { headers });
  return Response.json(facts, { headers: { ...headers, "content-type": "application/json" } });
}

/** Answers with a body, or with 304 if the client has it already. */
function withTag(
  request: Request,
  etag: string,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array<ArrayBuffer>,
): Response {
  const known = (request.headers.get("if-none-match") ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""));
  const all = { ...headers, etag };
  if (known.includes(etag) || known.includes("*")) return new Response(null, { status: 304, headers: all });
  return new Response(body, { headers: all });
}
