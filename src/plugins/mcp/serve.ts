import { ANONYMOUS } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { routeOf } from "../../http/route-label.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import { bearerIn } from "../../wire/bearer.ts";
import { isEventStreamType } from "../../wire/response-progress.ts";
import { type McpCall, type McpPorts, toExchangeRequest, toPeerRequest } from "./call.ts";
import { CallDoor, type CallIdentity } from "./call-door.ts";
import { type CallOptions, type CallReport, callRelay, type EndableCall } from "./call-relay.ts";
import { findRelay } from "./find-relay.ts";
import { SESSION_HEADER } from "./headers.ts";
import type { McpArea } from "./mcp-area.ts";
import { type RelayPath, toRelayPath } from "./relay-path.ts";
import type { FoundRelay, Relay } from "./relays.ts";
import type { RemoteRelay } from "./remote-relays.ts";
import { type CallBody, type McpBody, readMcpBody } from "./request-body.ts";
import { publicUrlOf, resourceOf } from "./resource.ts";
import { rpcError } from "./rpc-error.ts";
import { type RpcFacts, readFacts } from "./rpc-facts.ts";

/** Sends a request to its relay and answers with what the MCP server answers. Rejects with `ClientGone` only. */
export async function serveMcp(ports: McpPorts, call: McpCall): Promise<Response> {
  const { visit, relayId, rest } = call;
  const { request, requestId } = visit;
  let read: McpBody | undefined;
  let isCounted = false;
  let door: CallDoor | undefined;
  const startedAt = ports.deps.clock.elapsed();
  try {
    // Before the door, so that no page of another site finds out anything.
    ports.names.assertAllowed(request);
    const path = toRelayPath(rest, request.url);
    if (!path) throw new Fault("path_not_allowed");
    const entered = await CallDoor.enter(ports, call, path.alias);
    door = entered;
    if (ports.area.isDraining && !ports.area.relays.remote(relayId)) throw drainingFault();
    // A quiet stream, a long call and a wait for a relay are not idle connections.
    entered.caller.linger();
    const { mcpMaxBodyBytes: maxBytes, clientStallTimeoutMs: timeoutMs } = ports.config;
    read = await readMcpBody(request, { maxBytes, timeoutMs, clock: ports.deps.clock });
    const { body, facts } = read;
    if (body === undefined) throw new Fault("request_too_large");
    const admitted: Admitted = {
      path,
      body,
      facts,
      onCounted: () => {
        isCounted = true;
      },
      door: entered,
    };
    // Another server takes nothing of a large body before it has found the relay, so the body can still be sent again.
    const mayRepeat = (): boolean => body.mayReopen;
    return await findRelay(ports, relayId, { signal: request.signal, mayRepeat }, (found) =>
      send(ports, call, found, admitted),
    );
  } catch (error) {
    door?.leave();
    const hasLeft = request.signal.aborted;
    if (!hasLeft && !(error instanceof Fault)) throw error;
    const fault = !hasLeft && error instanceof Fault ? error : undefined;
    if (!isCounted) {
      ports.area.unserved({
        requestId,
        caller: door?.caller ?? { ...ANONYMOUS, address: ports.auth.addressOf(visit), route: routeOf(request) },
        relayId,
        facts: read?.facts ?? readFacts(request, undefined),
        bytesIn: read?.body?.bytes ?? 0,
        fault,
        durationMs: ports.deps.clock.elapsed() - startedAt,
      });
    }
    if (!fault) throw new ClientGone("the client left");
    return rpcError(fault, requestId, read?.id());
  } finally {
    read?.body?.settle();
  }
}

/** A request that has been admitted and read. */
interface Admitted {
  readonly path: RelayPath;
  readonly body: CallBody;
  readonly facts: RpcFacts;
  /** Called once the call counts as one that reached its relay, which also counts a failure. */
  readonly onCounted: () => void;
  readonly door: CallDoor;
}

/** An admitted request whose caller is known to its relay. */
interface Identified extends Admitted {
  readonly identity: CallIdentity;
  /** Ends the count of the call towards the limits of its caller's key. */
  readonly release: () => void;
}

async function send(ports: McpPorts, call: McpCall, found: FoundRelay, admitted: Admitted): Promise<Response> {
  const identity = await admitted.door.at(found);
  const release = admitted.facts.isCall ? identity.begin() : () => {};
  const identified: Identified = { ...admitted, identity, release };
  try {
    const answer = await (found.kind === "here"
      ? sendHere(ports, call, found.relay, identified)
      : sendElsewhere(ports, call, found, identified));
    return identity.as === undefined ? answer : ofOneCaller(answer);
  } catch (error) {
    release();
    throw error;
  }
}

/** Marks an answer as one that nobody else may get from a cache. The form of an event stream must still not be changed. */
function ofOneCaller(answer: Response): Response {
  const isStream = isEventStreamType(answer.headers.get("content-type") ?? "");
  answer.headers.set("cache-control", isStream ? "private, no-store, no-transform" : "private, no-store");
  answer.headers.append("vary", "authorization");
  return answer;
}

function sendHere(ports: McpPorts, call: McpCall, relay: Relay, admitted: Identified): Promise<Response> {
  const { area, names } = ports;
  const { request, requestId } = call.visit;
  const { path, body, facts, identity } = admitted;
  const resource = resourceOf(names, relay, call.visit, path.alias);
  const release = area.enter(relay, facts.isStream, requestId, facts.label);
  const session = area.use(relay, request.method, request.headers.get(SESSION_HEADER) ?? undefined);
  return callRelay({
    ...commonOptions(ports, call, admitted),
    session: relay.session,
    request: toExchangeRequest(ports, call, { path: path.path, body: body.open(), facts, resource, identity }),
    onBegun: ({ status, headers }) => {
      session.answered(status, headers.find(([name]) => name.toLowerCase() === SESSION_HEADER)?.[1]);
    },
    onEnded: (report) => {
      session.ended();
      area.served(relay, { method: facts.label, functionName: facts.functionName, report });
      ended(ports, call, admitted, report, undefined);
    },
    onSettled: () => {
      release();
      admitted.release();
    },
  });
}

/** Sends a call to the server that has the relay, which counts its places, its MCP session and its function. */
function sendElsewhere(ports: McpPorts, call: McpCall, remote: RemoteRelay, admitted: Identified): Promise<Response> {
  const { area, names } = ports;
  const { visit, relayId } = call;
  const { path, body, facts, door, identity } = admitted;
  // The other server knows whether the MCP server takes tokens for this URL.
  const resource = publicUrlOf(names, relayId, visit, path.alias);
  const request: ExchangeRequest = toExchangeRequest(ports, call, {
    path: path.path,
    body: body.open(),
    facts,
    resource,
    identity,
  });
  const leave = area.enterRemote();
  return callRelay({
    ...commonOptions(ports, call, admitted),
    session: remote.session,
    request: toPeerRequest(request, relayId, { requestId: visit.requestId, caller: door.caller, facts }),
    onBegun: () => {},
    onEnded: (report) => ended(ports, call, admitted, report, remote.server),
    onSettled: () => {
      leave();
      admitted.release();
    },
  });
}

function commonOptions(
  { area, auth, config, deps }: McpPorts,
  { visit, relayId }: McpCall,
  { facts, identity, door }: Identified,
): Omit<CallOptions, "session" | "request" | "onBegun" | "onEnded" | "onSettled"> {
  const { request, requestId } = visit;
  return {
    clock: deps.clock,
    requestId,
    signal: request.signal,
    isLetIn: identity.as !== undefined,
    enlist: identity.as && ((running) => enlist(area, door, identity, running)),
    listeners: facts.isStream ? area.listeners : undefined,
    silenceMs: config.mcpRequestTimeoutMs,
    stallMs: config.clientStallTimeoutMs,
    keepaliveMs: config.keepaliveIntervalMs,
    maxAnswerBytes: config.mcpMaxAnswerBytes,
    // A relay may lie, but it cannot make a guess of a call that had no token.
    onTokenRefused: () => (!identity.isBearerOurs && hasToken(request) ? auth.refuseToken(visit, relayId) : undefined),
  };
}

/** Adds a running call to those that end with its caller's key or grant. */
function enlist(area: McpArea, { caller }: CallDoor, identity: CallIdentity, running: EndableCall): () => void {
  return area.callerCalls.add({
    keyId: caller.keyId,
    grantId: identity.grantId,
    isUnchanged: () => identity.isUnchanged(),
    end: (fault) => running.end(fault),
    endListening: () => running.endListening(),
  });
}

function ended(
  { area }: McpPorts,
  { visit, relayId }: McpCall,
  { facts, body, door, onCounted }: Admitted,
  report: CallReport,
  server: string | undefined,
): void {
  const { caller } = door;
  onCounted();
  door.leave();
  area.ended({ requestId: visit.requestId, caller, relayId, server, facts, bytesIn: body.bytes, report });
}

function hasToken({ headers }: Request): boolean {
  return bearerIn(headers.get("authorization")) !== undefined;
}
