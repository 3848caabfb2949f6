import type { ActiveCaller } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { bearerIn } from "../../wire/bearer.ts";
import type { Body } from "../../wire/pump.ts";
import { type McpCall, type McpPorts, toExchangeRequest } from "./call.ts";
import { callRelay } from "./call-relay.ts";
import { SESSION_HEADER } from "./headers.ts";
import { type RelayPath, toRelayPath } from "./relay-path.ts";
import type { Relay } from "./relays.ts";
import { type McpBody, readMcpBody } from "./request-body.ts";
import { resourceOf } from "./resource.ts";
import { rpcError } from "./rpc-error.ts";
import { type RpcFacts, readFacts } from "./rpc-facts.ts";

/** Sends a request to its relay and answers with what the MCP server answers. Rejects with `ClientGone` only. */
export async function serveMcp(ports: McpPorts, call: McpCall): Promise<Response> {
  const { visit, relayId, rest } = call;
  const { request, requestId } = visit;
  let read: McpBody | undefined;
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
    const { mcpMaxBodyBytes: maxBytes, clientStallTimeoutMs: timeoutMs } = ports.config;
    read = await readMcpBody(request, { maxBytes, timeoutMs, clock: ports.deps.clock });
    const { body, facts } = read;
    if (body === undefined) throw new Fault("request_too_large");
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
    const facts = read?.facts ?? readFacts(request, undefined);
    if (!isCounted) ports.area.refused(error, facts.label);
    return rpcError(error, requestId, read?.id());
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
  const resource = resourceOf(names, relay, call.visit, alias);
  const release = area.enter(relay, facts.isStream, requestId, facts.label);
  const session = area.use(relay, request.method, request.headers.get(SESSION_HEADER) ?? undefined);
  return callRelay({
    session: relay.session,
    clock: deps.clock,
    request: toExchangeRequest(ports, call, { path, body, facts, resource }),
    requestId,
    signal: request.signal,
    listeners: facts.isStream ? area.listeners : undefined,
    silenceMs: config.mcpRequestTimeoutMs,
    stallMs: config.clientStallTimeoutMs,
    keepaliveMs: config.keepaliveIntervalMs,
    maxAnswerBytes: config.mcpMaxAnswerBytes,
    // A relay may lie, but it cannot make a guess of a call that had no token.
    onTokenRefused: () => (hasToken(request) ? ports.auth.refuseToken(call.visit, relay.session.worker.id) : undefined),
    onBegun: ({ status, headers }) => {
      session.answered(status, headers.find(([name]) => name.toLowerCase() === SESSION_HEADER)?.[1]);
    },
    onEnded: (report) => {
      session.ended();
      onCounted();
      caller.leave();
      const { label: method, functionName, isStream } = facts;
      area.ended(relay, { requestId, caller, method, functionName, isStream, report });
    },
    onSettled: release,
  });
}

function hasToken({ headers }: Request): boolean {
  return bearerIn(headers.get("authorization")) !== undefined;
}
