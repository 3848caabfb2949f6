import type { AnyElysia } from "elysia";
import type { Leave } from "../../auth/auth.ts";
import type { PluginContext } from "../../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../../plugin/route-context.ts";
import { createDetail, readDetail, writeDetail } from "./openapi.ts";
import type { Transfers } from "./transfers.ts";

/** The plugin's routes. Whoever has no key is turned away before a byte of the body is read. */
export function transferRoutes(transfers: Transfers, { auth, listener }: PluginContext): AnyElysia {
  const guard = (request: Request): void => auth.requireTransfer(request, () => listener.addressOf(request));
  const enter = (request: Request): Leave => auth.enterTransfer(request, () => listener.addressOf(request));
  const write = ({ request, requestId, params }: RouteContext): Promise<Response> =>
    transfers.write(channelOf(params), { request, requestId, leave: enter(request) });

  return createRoutes()
    .post(
      "/api/transfer",
      ({ request }) => {
        guard(request);
        const { id, expiresAt } = transfers.create();
        const body = { channel_id: id, expires_at: new Date(expiresAt).toISOString() };
        return Response.json(body, { headers: { "cache-control": "no-store" } });
      },
      { parse: "none", detail: createDetail },
    )
    .get(
      "/api/transfer/:channel_id",
      ({ request, requestId, params }) => {
        if (request.method !== "HEAD")
          return transfers.read(channelOf(params), { request, requestId, leave: enter(request) });
        guard(request);
        // Elysia asks the routes for GET; whoever only asks must not take the reader's place.
        transfers.look(channelOf(params));
        return new Response(null, { headers: { "cache-control": "no-store" } });
      },
      { detail: readDetail },
    )
    .post("/api/transfer/:channel_id", ({ request, requestId, params }) => write({ request, requestId, params }), {
      parse: "none",
      detail: writeDetail("post"),
    })
    .put("/api/transfer/:channel_id", ({ request, requestId, params }) => write({ request, requestId, params }), {
      parse: "none",
      detail: writeDetail("put"),
    });
}

function channelOf(params: RouteContext["params"]): string {
  return params?.["channel_id"] ?? "";
}
