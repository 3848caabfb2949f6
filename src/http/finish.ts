import { Fault } from "../errors.ts";
import type { Log } from "../system/deps.ts";
import { ClientGone } from "./body.ts";
import type { Cors } from "./cors.ts";
import { errorResponse } from "./error-response.ts";
import { UnnormalizedPath } from "./not-found.ts";
import type { Visit } from "./visit.ts";

// The end of every request, whichever route has taken it.

/** What a handler threw, and Elysia's code for it. */
export interface Thrown {
  readonly error: unknown;
  readonly code: unknown;
}

/** Answers a request whose handler threw. `notFound` answers one that no route takes. */
export async function answerError(
  notFound: () => Promise<Response> | Response,
  { error, code }: Thrown,
  requestId: string,
  log: Log,
): Promise<Response> {
  if (error instanceof Fault) return errorResponse(error, requestId);
  // Nobody reads this answer; 499 is the status that proxies log for a client that closed its request.
  if (error instanceof ClientGone) return new Response(null, { status: 499 });
  if (code !== "NOT_FOUND" && !(error instanceof UnnormalizedPath)) {
    const kind = error instanceof Error ? error.name : typeof error;
    log.error("request.failed", {
      request: requestId,
      error: kind,
      stack: error instanceof Error ? error.stack?.slice(0, 2000) : undefined,
    });
    return errorResponse(new Fault("internal_error"), requestId);
  }
  try {
    return await notFound();
  } catch (fault) {
    return errorResponse(fault instanceof Fault ? fault : new Fault("internal_error"), requestId);
  }
}

/** Adds the headers that every answer carries. With `isLast`, the connection takes no other request. */
export function stamp(response: Response, visit: Visit, cors: Cors, isLast: boolean): void {
  const { request, requestId } = visit;
  const { headers } = response;
  // The next request goes to another server, also where a load balancer passes on connections and not requests.
  if (isLast) headers.set("connection", "close");
  if (!headers.has("x-request-id")) headers.set("x-request-id", requestId);
  visit.limits?.setHeaders(headers);
  const origin = request.headers.get("origin");
  if (origin === null || headers.has("access-control-allow-origin")) return;
  for (const [name, value] of cors.headersFor(origin)) headers.append(name, value);
}
