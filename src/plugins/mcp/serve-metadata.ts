import type { ActiveCaller } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import type { Visit } from "../../http/visit.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import type { McpPorts } from "./call.ts";
import { callRelay } from "./call-relay.ts";
import { resourceOf } from "./resource.ts";

/** One request for the OAuth metadata of the MCP server behind a relay. */
export interface MetadataCall {
  readonly visit: Visit;
  readonly relayId: string;
  /** The text after the id in the URL by which the client knows the relay. */
  readonly alias: "" | "/mcp";
}

/** Longest wait for the metadata: a small document, for which a client need not wait as long as for a call. */
const MAX_WAIT_MS = 30_000;

/**
 * Answers with the MCP server's OAuth metadata (RFC 9728), which its relay fetches. Rejects with `unknown_url` for a
 * relay that checks a token of its own, so that clients go on without metadata, and with `relay_unavailable` if no relay
 * answers.
 */
export async function serveMetadata(ports: McpPorts, call: MetadataCall): Promise<Response> {
  const { area, auth, config, deps, names } = ports;
  const { visit, relayId } = call;
  const { request, requestId } = visit;
  let isCounted = false;
  let caller: ActiveCaller | undefined;
  try {
    const active = auth.enter(visit, "open");
    caller = active;
    names.assertAllowed(request);
    if (area.isDraining) throw drainingFault();
    active.linger();
    const relay = await area.relays.find(relayId, request.signal);
    const resource = resourceOf(names, relay, visit, call.alias);
    if (resource === undefined) throw new Fault("unknown_url", { message: "This relay has no OAuth metadata." });
    const release = area.enter(relay, false, requestId, "metadata");
    const answer = await callRelay({
      session: relay.session,
      clock: deps.clock,
      request: {
        head: {
          method: "GET",
          path: METADATA_PATH,
          headers: [["x-request-id", requestId]],
          timeout_ms: Math.min(MAX_WAIT_MS, config.mcpRequestTimeoutMs),
          resource,
        },
        body: new Uint8Array(0),
      },
      requestId,
      signal: request.signal,
      listeners: undefined,
      silenceMs: Math.min(MAX_WAIT_MS, config.mcpRequestTimeoutMs),
      stallMs: config.clientStallTimeoutMs,
      keepaliveMs: config.keepaliveIntervalMs,
      // The request for metadata has no token.
      onTokenRefused: () => undefined,
      maxAnswerBytes: config.mcpMaxAnswerBytes,
      onBegun: () => {},
      onEnded: (report) => {
        isCounted = true;
        active.leave();
        area.ended(relay, {
          requestId,
          caller: active,
          method: "metadata",
          functionName: undefined,
          isStream: false,
          report,
        });
      },
      onSettled: release,
    });
    // The document names the URL of this request, and the next client may use another one.
    answer.headers.set("cache-control", "no-store");
    return answer;
  } catch (error) {
    caller?.leave();
    if (request.signal.aborted) throw new ClientGone("the client left");
    if (error instanceof Fault && !isCounted) area.refused(error, "metadata");
    throw error;
  }
}
