import type { AnyElysia } from "elysia";
import { errorResponses, rawAnswer } from "../openapi/schema.ts";
import type { Intake } from "../tunnel/session-source.ts";
import type { PluginContext } from "./contract.ts";
import { createRoutes } from "./route-context.ts";

/** Serves `GET /api/{plugin}/connect`, where a plugin's workers connect. */
export function workerRoutes(
  pluginId: string,
  area: { readonly intake: Intake },
  { auth, listener }: Pick<PluginContext, "auth" | "listener">,
): AnyElysia {
  return createRoutes().get(
    `/api/${pluginId}/connect`,
    ({ visit }) => {
      const credentials = auth.workers.readCredentials(visit);
      return area.intake.upgrade(visit.request, listener, {
        address: credentials.address,
        admit: (keys) => auth.workers.admit(credentials, keys),
        join: (request) => auth.workers.join(credentials, request),
      });
    },
    {
      detail: {
        tags: ["Workers"],
        operationId: `${pluginId}Connect`,
        summary: "Connect a worker (WebSocket)",
        description:
          "Upgrade with the subprotocol `moorage.v1`, or with none for the predecessor's dialect, and send `register` as the first message. The client key stands in that message, or as Bearer on the upgrade.",
        security: [],
        responses: {
          101: rawAnswer("text/plain", "The socket is open."),
          ...errorResponses("invalid_request", "upgrade_required", "too_many_connections"),
        },
      },
    },
  );
}
