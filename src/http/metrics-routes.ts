import { type AnyElysia, Elysia } from "elysia";
import { errorResponses, rawAnswer } from "../openapi/schema.ts";

/** What can be read as Prometheus text. */
export interface MetricsText {
  text(): Promise<string>;
  readonly contentType: string;
}

/** `/metrics` as an answer, for whichever listener serves it. */
export async function metricsResponse(metrics: MetricsText): Promise<Response> {
  return new Response(await metrics.text(), {
    headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
  });
}

/** `GET /metrics`. */
export function metricsRoutes(metrics: MetricsText): AnyElysia {
  return new Elysia().get("/metrics", () => metricsResponse(metrics), {
    detail: {
      tags: ["System"],
      summary: "Prometheus metrics",
      security: [],
      responses: {
        200: rawAnswer("text/plain", "Every metric, in Prometheus' text format."),
        ...errorResponses("method_not_allowed"),
      },
    },
  });
}
