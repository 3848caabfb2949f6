import type { Config } from "../../config.ts";
import type { Deps } from "../../deps.ts";
import { Fault } from "../../errors.ts";
import { ClientGone, declaredLength, readBody } from "../../http/body.ts";
import type { Listener } from "../../http/listener.ts";
import type { Body } from "../../tunnel/pump.ts";
import { callRelay } from "./call.ts";
import { toRelayHeaders } from "./headers.ts";
import type { McpArea } from "./mcp-area.ts";
import type { Relay } from "./relays.ts";
import { rpcError } from "./rpc-error.ts";
import { methodLabel, NO_FACTS, type RpcFacts, readRpcFacts } from "./rpc-facts.ts";

/** What the plugin's requests are served with. */
export interface McpPorts {
  readonly area: McpArea;
  readonly config: Config;
  readonly deps: Deps;
  readonly listener: Listener;
}

/** One request of a client. Whether it may call is the relay's to say. */
export interface McpCall {
  readonly request: Request;
  readonly requestId: string;
  readonly relayId: string;
  /** Below the relay's URL, with its query: empty or with a leading slash. */
  readonly path: string;
}

/** A body up to this size is read whole, and its method looked at; a larger one streams through unread. */
const WHOLE_BODY_BYTES = 64 * 1024;

/** Sends the request to its relay and answers with what that answers. Throws `ClientGone` only. */
export async function serveMcp(ports: McpPorts, call: McpCall): Promise<Response> {
  let facts = NO_FACTS;
  try {
    assertOrigin(call.request, ports.config);
    if (ports.area.isDraining) throw new Fault("draining", { retryAfterS: 5 });
    const { request, relayId } = call;
    // Quiet streams, long calls and relays that are waited for: none of them is idle.
    ports.listener.liftIdleTimeout(request);
    const { body, facts: found } = await readRequest(ports, call);
    facts = found;
    const relay = await ports.area.relays.find(relayId, request.signal);
    return await send(ports, call, relay, body, facts);
  } catch (error) {
    ports.listener.restoreIdleTimeout(call.request);
    if (call.request.signal.aborted) throw new ClientGone("the client left");
    if (!(error instanceof Fault)) throw error;
    ports.area.refused(error, methodLabel(call.request.method, facts.method));
    return rpcError(error, call.requestId, facts.id);
  }
}

function send(ports: McpPorts, call: McpCall, relay: Relay, body: Body, facts: RpcFacts): Promise<Response> {
  const { area, config, deps, listener } = ports;
  const { request, requestId, path } = call;
  const method = methodLabel(request.method, facts.method);
  const isStream = request.method === "GET" || (request.headers.get("mcp-method") ?? facts.method) === LISTEN;
  const release = area.enter(relay, isStream);
  return callRelay({
    session: relay.session,
    clock: deps.clock,
    request: {
      head: {
        method: request.method,
        path: path === "" ? "/" : path,
        headers: toRelayHeaders(request.headers, requestId),
        timeout_ms: config.requestTimeoutMs,
      },
      body,
    },
    requestId,
    signal: request.signal,
    silenceMs: config.requestTimeoutMs,
    stallMs: config.clientStallTimeoutMs,
    keepaliveMs: config.keepaliveIntervalMs,
    maxAnswerBytes: config.mcpMaxAnswerBytes,
    onEnded: (report) => {
      area.ended(relay, { requestId, method, report });
      listener.restoreIdleTimeout(request);
    },
    onSettled: release,
  });
}

/** A POST whose answer stays open until the client leaves. */
const LISTEN = "subscriptions/listen";

/**
 * A page that is not meant to may neither call nor, by a name that it made point here, read what is called. Names are
 * compared with what is configured and never with the request's own Host, which such a page chooses. A server that
 * listens on this machine only is there for this machine's pages.
 */
function assertOrigin(request: Request, { allowedOrigins, host }: Config): void {
  const origin = request.headers.get("origin");
  if (origin === null || allowedOrigins.includes("*") || allowedOrigins.includes(origin)) return;
  if (LOOPBACK.test(host) && LOOPBACK.test(URL.parse(origin)?.hostname ?? "")) return;
  throw new Fault("origin_not_allowed");
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

async function readRequest(
  { config, deps, listener }: McpPorts,
  { request }: McpCall,
): Promise<{ readonly body: Body; readonly facts: RpcFacts }> {
  const { mcpMaxBodyBytes: maxBytes, clientStallTimeoutMs: timeoutMs } = config;
  const length = declaredLength(request.headers);
  if ((length ?? 0) > maxBytes) throw new Fault("request_too_large");
  if (length === undefined ? !request.body : length <= WHOLE_BODY_BYTES) {
    const body = await readBody(request, {
      maxBytes,
      timeoutMs,
      clock: deps.clock,
      liftIdleTimeout: () => listener.liftIdleTimeout(request),
    });
    return { body, facts: readRpcFacts(body) };
  }
  return { body: bounded(request.body, maxBytes), facts: NO_FACTS };
}

function bounded(body: ReadableStream<Uint8Array> | null, maxBytes: number): Body {
  let bytes = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > maxBytes) controller.error(new Fault("request_too_large"));
      else controller.enqueue(chunk);
    },
  });
  return body ? body.pipeThrough(counting) : new Uint8Array(0);
}
