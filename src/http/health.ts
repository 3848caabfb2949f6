import { type AnyElysia, Elysia } from "elysia";
import * as v from "valibot";
import { errorResponses, jsonAnswer } from "../openapi/schema.ts";

/** What the health check says of a cluster. It is for people: it does not change the status. Anybody may read it. */
export interface ClusterHealth {
  /** A short digest of this server's id, by which two answers of different servers can be told apart. */
  readonly server: string;
  /** Servers that run, with this one. */
  readonly servers: number;
  readonly peers_lost: number;
  readonly bus: "up" | "away";
  readonly is_whole: boolean;
}

const clusterSchema = v.pipe(
  v.object({
    server: v.pipe(v.string(), v.description("A short digest of the id of the server that answers.")),
    servers: v.pipe(v.number(), v.description("Servers that run, as this one sees them.")),
    peers_lost: v.pipe(v.number(), v.description("Servers that are gone without a goodbye.")),
    bus: v.pipe(v.picklist(["up", "away"]), v.description("Whether NATS can be reached.")),
    is_whole: v.pipe(
      v.boolean(),
      v.description("Whether NATS can be reached, and all servers work together and have the same keys."),
    ),
  }),
  v.description("The cluster, with NATS_URL. It does not change the status."),
);
const okSchema = v.object({ status: v.literal("ok"), cluster: v.optional(clusterSchema) });
const drainingSchema = v.object({ status: v.literal("draining"), cluster: v.optional(clusterSchema) });

/**
 * `GET /healthz` for load balancers: 200 while the server accepts work, 503 once it drains. It never asks another server or
 * NATS: `cluster` MUST return what is in memory. If an outage of theirs made servers unhealthy, a platform would restart all
 * of them at once.
 */
export function healthRoutes(isDraining: () => boolean, cluster?: () => ClusterHealth | undefined): AnyElysia {
  return new Elysia().get(
    "/healthz",
    () => {
      const draining = isDraining();
      return Response.json(
        { status: draining ? "draining" : "ok", ...(cluster && { cluster: cluster() }) },
        { status: draining ? 503 : 200, headers: { "cache-control": "no-store" } },
      );
    },
    {
      detail: {
        tags: ["System"],
        summary: "Health check",
        security: [],
        responses: {
          200: jsonAnswer(okSchema, "The server accepts work."),
          503: jsonAnswer(drainingSchema, "The server is shutting down."),
          ...errorResponses("method_not_allowed"),
        },
      },
    },
  );
}
