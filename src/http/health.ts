import { type AnyElysia, Elysia } from "elysia";
import * as v from "valibot";
import { errorResponses, jsonAnswer } from "../openapi/schema.ts";

const okSchema = v.object({ status: v.literal("ok") });
const drainingSchema = v.object({ status: v.literal("draining") });

/** `GET /healthz` for load balancers: 200 while the server accepts work, 503 once it drains. */
export function healthRoutes(isDraining: () => boolean): AnyElysia {
  return new Elysia().get(
    "/healthz",
    () => {
      const draining = isDraining();
      return Response.json(
        { status: draining ? "draining" : "ok" },
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
