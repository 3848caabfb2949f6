import type { ActiveCaller } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import type { Visit } from "../../http/visit.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import { type McpPorts, toPeerRequest } from "./call.ts";
import { type CallReport, callRelay } from "./call-relay.ts";
import { foundConnector } from "./connectors.ts";
import { findRelay } from "./find-relay.ts";
import type { FoundRelay } from "./relays.ts";
import { publicUrlOf, resourceOf } from "./resource.ts";
import type { RpcFacts } from "./rpc-facts.ts";

/** One request for the OAuth metadata of the MCP server behind a relay. */
export interface MetadataCall {
  readonly visit: Visit;
  readonly relayId: string;
  /** The text after the id in the URL by which the client knows the relay. */
  readonly alias: "" | "/mcp";
}

/** Longest wait for the metadata: a small document, for which a client need not wait as long as for a call. */
const MAX_WAIT_MS = 30_000;

/** The label under which these requests are counted. */
export const METADATA_LABEL = "metadata";
const FACTS: RpcFacts = {
  id: undefined,
  label: METADATA_LABEL,
  functionName: undefined,
  target: undefined,
  isCertain: true,
  isCall: false,
  isStream: false,
};

/** The answer for a relay that checks its own token, so that clients continue without metadata. */
export function noMetadataFault(): Fault {
  return new Fault("unknown_url", { message: "This relay has no OAuth metadata." });
}

/**
 * Answers with the MCP server's OAuth metadata (RFC 9728), which its relay fetches. Rejects with `unknown_url` for a
 * relay that checks a token of its own, unless another server has that relay and answers 404 itself, and with
 * `relay_unavailable` if no relay answers.
 */
export async function serveMetadata(ports: McpPorts, call: MetadataCall): Promise<Response> {
  const { area, auth, names } = ports;
  const { visit, relayId } = call;
  const { request } = visit;
  let isCounted = false;
  let caller: ActiveCaller | undefined;
  try {
    const active = auth.enter(visit, "open");
    caller = active;
    names.assertAllowed(request);
    if (area.isDraining && !area.relays.remote(relayId)) throw drainingFault();
    active.linger();
    const answer = await findRelay(ports, relayId, { signal: request.signal, mayRepeat: () => true }, (found) =>
      ask(ports, call, active, found, () => {
        isCounted = true;
      }),
    );
    // The document names the URL of this request, and the next client may use another one.
    answer.headers.set("cache-control", "no-store");
    return answer;
  } catch (error) {
    caller?.leave();
    if (request.signal.aborted) throw new ClientGone("the client left");
    if (error instanceof Fault && !isCounted) area.refused(error, METADATA_LABEL);
    throw error;
  }
}

/** Answers for a relay whose callers this server lets in. The relay is not asked, and says nothing in it. */
function ownMetadata(
  { auth, names }: McpPorts,
  { visit, relayId, alias }: MetadataCall,
  caller: ActiveCaller,
): Response {
  const origin = names.originOf(visit);
  const resource = publicUrlOf(names, relayId, visit, alias);
  const document =
    origin === undefined || resource === undefined ? undefined : auth.connectors.metadataFor(resource, origin);
  if (document === undefined) throw noMetadataFault();
  caller.leave();
  return Response.json(document, { headers: { "x-request-id": visit.requestId, "x-content-type-options": "nosniff" } });
}

function ask(
  ports: McpPorts,
  { visit, relayId, alias }: MetadataCall,
  caller: ActiveCaller,
  found: FoundRelay,
  onCounted: () => void,
): Promise<Response> {
  const { area, config, deps, names } = ports;
  const { request, requestId } = visit;
  if (foundConnector(found)) return Promise.resolve(ownMetadata(ports, { visit, relayId, alias }, caller));
  const isHere = found.kind === "here";
  const resource = isHere ? resourceOf(names, found.relay, visit, alias) : publicUrlOf(names, relayId, visit, alias);
  if (resource === undefined) throw noMetadataFault();
  const silenceMs = Math.min(MAX_WAIT_MS, config.mcpRequestTimeoutMs);
  const asked: ExchangeRequest = {
    head: {
      method: "GET",
      path: METADATA_PATH,
      headers: [["x-request-id", requestId]],
      timeout_ms: silenceMs,
      resource,
    },
    body: new Uint8Array(0),
  };
  const ended = (report: CallReport): void => {
    onCounted();
    caller.leave();
    const method = METADATA_LABEL;
    if (isHere) area.served(found.relay, { method, functionName: undefined, report });
    const server = isHere ? undefined : found.server;
    area.ended({ requestId, caller, relayId, server, facts: FACTS, bytesIn: 0, report });
  };
  return callRelay({
    session: isHere ? found.relay.session : found.session,
    clock: deps.clock,
    request: isHere ? asked : toPeerRequest(asked, relayId, { requestId, caller, facts: FACTS }),
    requestId,
    signal: request.signal,
    isLetIn: false,
    listeners: undefined,
    silenceMs,
    stallMs: config.clientStallTimeoutMs,
    keepaliveMs: config.keepaliveIntervalMs,
    // The request for metadata has no token.
    onTokenRefused: () => undefined,
    maxAnswerBytes: config.mcpMaxAnswerBytes,
    onBegun: () => {},
    onEnded: ended,
    onSettled: isHere ? area.enter(found.relay, false, requestId, METADATA_LABEL) : area.enterRemote(),
  });
}
