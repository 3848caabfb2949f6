import { Fault } from "../errors.ts";
import { errorResponse } from "./error-response.ts";
import { saneRequestId } from "./headers.ts";
import { type MetricsText, metricsResponse } from "./metrics-routes.ts";

/** Answers a request on the listener that serves `/metrics` alone. Errors have the form of every other route's. */
export async function answerMetrics(request: Request, metrics: MetricsText, newId: () => string): Promise<Response> {
  const requestId = saneRequestId(request.headers) ?? newId();
  const fault = faultIn(request);
  const response = fault ? errorResponse(fault, requestId) : await metricsResponse(metrics);
  response.headers.set("x-request-id", requestId);
  return response;
}

function faultIn({ method, url }: Request): Fault | undefined {
  // A Host header that is none makes the URL invalid.
  if (!/^\/metrics\/?$/.test(URL.parse(url)?.pathname ?? ""))
    return new Fault("unknown_url", { message: "This listener serves /metrics alone." });
  if (method === "GET" || method === "HEAD") return undefined;
  return new Fault("method_not_allowed", { headers: { allow: "GET, HEAD" } });
}
