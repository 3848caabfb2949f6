import type { Leave } from "../../auth/auth.ts";
import { Fault } from "../../errors.ts";
import { ClientGone, declaredLength, readBody } from "../../http/body.ts";
import type { Body } from "../../wire/pump.ts";
import { callRelay } from "./call.ts";
import { toRelayHeaders } from "./headers.ts";
import type { McpPorts } from "./ports.ts";
import { type RelayPath, toRelayPath } from "./relay-path.ts";
import type { Relay } from "./relays.ts";
import { resourceOf } from "./resource.ts";
import { rpcError } from "./rpc-error.ts";
import { methodLabel, type RpcFacts, readHeaderFacts, readRpcFacts } from "./rpc-facts.ts";

/** One request of a client. Whether it may call is the relay's to say. */
export interface McpCall {
  readonly request: Request;
  readonly requestId: string;
  readonly relayId: string;
  /** What stands behind the relay's URL, without the query, as it was sent. */
  readonly rest: string;
}

/** A body up to this size is read whole, and its method looked at; a larger one streams through unread. */
const WHOLE_BODY_BYTES = 64 * 1024;

/** Sends the request to its relay and answers with what that answers. Throws `ClientGone` only. */
export async function serveMcp(ports: McpPorts, call: McpCall): Promise<Response> {
  let facts = readHeaderFacts(call.request.headers);
  let isCounted = false;
  let leave: Leave | undefined;
  try {
    leave = ports.auth.enterOpen(call.request, () => ports.listener.addressOf(call.request));
    ports.names.assertAllowed(call.request);
    if (ports.area.isDraining) throw new Fault("draining", { retryAfterS: 5 });
    const { request, relayId } = call;
    const path = toRelayPath(call.rest, request.url);
    if (!path) throw new Fault("path_not_allowed");
    // Quiet streams, long calls and relays that are waited for: none of them is idle.
    ports.listener.liftIdleTimeout(request);
    const { body, facts: found } = await readRequest(ports, call);
    facts = found ?? facts;
    const relay = await ports.area.relays.find(relayId, request.signal);
    return await send(ports, call, relay, {
      path,
      body,
      facts,
      onCounted: () => {
        isCounted = true;
      },
      leave,
    });
  } catch (error) {
    leave?.();
    ports.listener.restoreIdleTimeout(call.request);
    if (call.request.signal.aborted) throw new ClientGone("the client left");
    if (!(error instanceof Fault)) throw error;
    if (!isCounted) ports.area.refused(error, methodLabel(call.request.method, facts.method));
    return rpcError(error, call.requestId, facts.id);
  }
}

/** What was found in a request. */
interface Found {
  readonly path: RelayPath;
  readonly body: Body;
  readonly facts: RpcFacts;
  /** Called when the relay's own counts have the call. */
  readonly onCounted: () => void;
  readonly leave: Leave;
}

function send(
  ports: McpPorts,
  { request, requestId }: McpCall,
  relay: Relay,
  { path: { path, alias }, body, facts, onCounted, leave }: Found,
): Promise<Response> {
  const { area, config, deps, listener } = ports;
  const method = methodLabel(request.method, facts.method);
  const isStream = request.method === "GET" || (request.headers.get("mcp-method") ?? facts.method) === LISTEN;
  const release = area.enter(relay, isStream);
  const session = area.use(relay, request.method, request.headers.get(SESSION) ?? undefined);
  const resource = resourceOf(ports, relay, request, alias);
  return callRelay({
    session: relay.session,
    clock: deps.clock,
    request: {
      head: {
        method: request.method,
        path: path === "" ? "/" : path,
        headers: toRelayHeaders(request.headers, requestId),
        timeout_ms: config.requestTimeoutMs,
        ...(resource === undefined ? {} : { resource }),
      },
      body,
    },
    requestId,
    signal: request.signal,
    silenceMs: config.requestTimeoutMs,
    stallMs: config.clientStallTimeoutMs,
    keepaliveMs: config.keepaliveIntervalMs,
    maxAnswerBytes: config.mcpMaxAnswerBytes,
    onBegun: ({ status, headers }) => {
      session.answered(status, headers.find(([name]) => name.toLowerCase() === SESSION)?.[1]);
    },
    onEnded: (report) => {
      session.ended();
      onCounted();
      leave();
      area.ended(relay, { requestId, method, functionName: facts.functionName, report });
      listener.restoreIdleTimeout(request);
    },
    onSettled: release,
  });
}

const SESSION = "mcp-session-id";

/** A POST whose answer stays open until the client leaves. */
const LISTEN = "subscriptions/listen";

async function readRequest(
  { config, deps, listener }: McpPorts,
  { request }: McpCall,
): Promise<{ readonly body: Body; readonly facts: RpcFacts | undefined }> {
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
  return { body: bounded(request.body, maxBytes), facts: undefined };
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
