import type { AnyElysia } from "elysia";
import type { PluginContext } from "../../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../../plugin/route-context.ts";
import { createDetail, readDetail, writeDetail } from "./openapi.ts";
import type { Transfers } from "./transfers.ts";

/** The plugin's routes. A client without a key is refused before a byte of its body is read. */
export function transferRoutes(transfers: Transfers, { auth }: PluginContext): AnyElysia {
  const write = ({ visit, params }: RouteContext): Promise<Response> =>
    transfers.write(channelOf(params), { visit, caller: auth.enter(visit, "transfer") });

  return createRoutes()
    .post(
      "/api/transfer",
      ({ visit }) => {
        auth.ask(visit, "transfer");
        const { id, expiresAt } = transfers.create();
        const body = { channel_id: id, expires_at: new Date(expiresAt).toISOString() };
        return Response.json(body, { headers: { "cache-control": "no-store" } });
      },
      { parse: "none", detail: createDetail },
    )
    .get(
      "/api/transfer/:channel_id",
      async ({ visit, params }) => {
        if (visit.request.method !== "HEAD")
          return transfers.read(channelOf(params), { visit, caller: auth.enter(visit, "transfer") });
        auth.ask(visit, "transfer");
        // Elysia asks the routes for GET; a client that only looks must not take the reader's place.
        await transfers.look(channelOf(params));
        return new Response(null, { headers: { "cache-control": "no-store" } });
      },
      { detail: readDetail },
    )
    .post("/api/transfer/:channel_id", ({ visit, params }) => write({ visit, params }), {
      parse: "none",
      detail: writeDetail("post"),
    })
    .put("/api/transfer/:channel_id", ({ visit, params }) => write({ visit, params }), {
      parse: "none",
      detail: writeDetail("put"),
    });
}

function channelOf(params: RouteContext["params"]): string {
  return params?.["channel_id"] ?? "";
}
