import { type AnyElysia, Elysia } from "elysia";
import { errorResponses, rawAnswer } from "../openapi/schema.ts";

/** A source of metrics in Prometheus' text format. */
export interface MetricsText {
  text(): Promise<string>;
  readonly contentType: string;
}

/** Answers a request for the metrics, on the main listener or on one of their own. */
export async function metricsResponse(metrics: MetricsText): Promise<Response> {
  return new Response(await metrics.text(), {
    headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
  });
}

/** Creates the route `GET /metrics`. */
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
