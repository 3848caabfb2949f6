import type { ActiveCaller } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone, declaredLength, readBody } from "../../http/body.ts";
import type { Body } from "../../wire/pump.ts";
import { type McpCall, type McpPorts, toExchangeRequest } from "./call.ts";
import { callRelay } from "./call-relay.ts";
import { type RelayPath, toRelayPath } from "./relay-path.ts";
import type { Relay } from "./relays.ts";
import { resourceOf } from "./resource.ts";
import { rpcError } from "./rpc-error.ts";
import { type RpcFacts, readFacts } from "./rpc-facts.ts";

/** Largest body that is read whole and looked into. A larger one streams through unread. */
const WHOLE_BODY_BYTES = 64 * 1024;

/** Sends a request to its relay and answers with what the MCP server answers. Rejects with `ClientGone` only. */
export async function serveMcp(ports: McpPorts, call: McpCall): Promise<Response> {
  const { visit, relayId, rest } = call;
  const { request, requestId } = visit;
  let facts: RpcFacts | undefined;
  let isCounted = false;
  let caller: ActiveCaller | undefined;
  try {
    caller = ports.auth.enter(visit, "open");
    ports.names.assertAllowed(request);
    if (ports.area.isDraining) throw drainingFault();
    const path = toRelayPath(rest, request.url);
    if (!path) throw new Fault("path_not_allowed");
    // A quiet stream, a long call and a wait for a relay are not idle connections.
    caller.linger();
    const body = await readRequest(ports, request);
    facts = readFacts(request, body instanceof Uint8Array ? body : undefined);
    const relay = await ports.area.relays.find(relayId, request.signal);
    return await send(ports, call, relay, {
      path,
      body,
      facts,
      onCounted: () => {
        isCounted = true;
      },
      caller,
    });
  } catch (error) {
    caller?.leave();
    if (request.signal.aborted) throw new ClientGone("the client left");
    if (!(error instanceof Fault)) throw error;
    facts ??= readFacts(request, undefined);
    if (!isCounted) ports.area.refused(error, facts.label);
    return rpcError(error, requestId, facts.id);
  }
}

/** A request that has been admitted and read. */
interface Admitted {
  readonly path: RelayPath;
  readonly body: Body;
  readonly facts: RpcFacts;
  /** Called once the call is in its relay's counts, where a failure is counted, too. */
  readonly onCounted: () => void;
  readonly caller: ActiveCaller;
}

function send(
  ports: McpPorts,
  call: McpCall,
  relay: Relay,
  { path: { path, alias }, body, facts, onCounted, caller }: Admitted,
): Promise<Response> {
  const { area, config, deps, names } = ports;
  const { request, requestId } = call.visit;
  const release = area.enter(relay, facts.isStream);
  const session = area.use(relay, request.method, request.headers.get(SESSION) ?? undefined);
  return callRelay({
    session: relay.session,
    clock: deps.clock,
    request: toExchangeRequest(ports, call, path, body, resourceOf(names, relay, call.visit, alias)),
    requestId,
    signal: request.signal,
    listeners: facts.isStream ? area.listeners : undefined,
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
      caller.leave();
      area.ended(relay, { requestId, caller, method: facts.label, functionName: facts.functionName, report });
    },
    onSettled: release,
  });
}

/** The header that names an MCP session. */
const SESSION = "mcp-session-id";

/** The request's body: whole if it is small enough to be looked into, else a stream that is only counted. */
async function readRequest({ config, deps }: McpPorts, request: Request): Promise<Body> {
  const { mcpMaxBodyBytes: maxBytes, clientStallTimeoutMs: timeoutMs } = config;
  const length = declaredLength(request.headers);
  if ((length ?? 0) > maxBytes) throw new Fault("request_too_large");
  const isSmall = length === undefined ? !request.body : length <= WHOLE_BODY_BYTES;
  if (!isSmall) return bounded(request.body, maxBytes);
  return readBody(request, {
    maxBytes,
    timeoutMs,
    clock: deps.clock,
    // The caller lingers already.
    liftIdleTimeout: () => {},
  });
}

/** A body that fails with `request_too_large` when it turns out to be larger than `maxBytes`. */
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
