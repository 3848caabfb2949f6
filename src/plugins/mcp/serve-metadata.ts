import { Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import type { McpPorts } from "./call.ts";
import { callRelay } from "./call-relay.ts";
import { resourceOf } from "./resource.ts";

/** A client's question how to sign in with the MCP server behind a relay. */
export interface MetadataCall {
  readonly request: Request;
  readonly requestId: string;
  readonly relayId: string;
  /** What the client's name for the relay has behind the id. */
  readonly alias: "" | "/mcp";
}

/** A small document from a server nearby: whoever asks is not made to wait as long as for a call. */
const MAX_WAIT_MS = 30_000;

/**
 * OAuth's description of the MCP server (RFC 9728), as its relay has it. A relay that guards itself has none: throws
 * `unknown_url`, which tells clients to go without. Where that cannot be known, `relay_unavailable` says so.
 */
export async function serveMetadata(ports: McpPorts, call: MetadataCall): Promise<Response> {
  const { area, config, deps, listener, names } = ports;
  const { request, requestId, relayId } = call;
  let isCounted = false;
  try {
    names.assertAllowed(request);
    if (area.isDraining) throw new Fault("draining", { retryAfterS: 5 });
    listener.liftIdleTimeout(request);
    const relay = await area.relays.find(relayId, request.signal);
    const resource = resourceOf(ports, relay, request, call.alias);
    if (resource === undefined) throw new Fault("unknown_url", { message: "This relay has no OAuth metadata." });
    const release = area.enter(relay, false);
    const answer = await callRelay({
      session: relay.session,
      clock: deps.clock,
      request: {
        head: {
          method: "GET",
          path: METADATA_PATH,
          headers: [["x-request-id", requestId]],
          timeout_ms: Math.min(MAX_WAIT_MS, config.requestTimeoutMs),
          resource,
        },
        body: new Uint8Array(0),
      },
      requestId,
      signal: request.signal,
      silenceMs: Math.min(MAX_WAIT_MS, config.requestTimeoutMs),
      stallMs: config.clientStallTimeoutMs,
      keepaliveMs: config.keepaliveIntervalMs,
      maxAnswerBytes: config.mcpMaxAnswerBytes,
      onBegun: () => {},
      onEnded: (report) => {
        isCounted = true;
        area.ended(relay, { requestId, method: "metadata", functionName: undefined, report });
        listener.restoreIdleTimeout(request);
      },
      onSettled: release,
    });
    // It names the URL that was asked for, which the next client may know by another name.
    answer.headers.set("cache-control", "no-store");
    return answer;
  } catch (error) {
    listener.restoreIdleTimeout(request);
    if (request.signal.aborted) throw new ClientGone("the client left");
    if (error instanceof Fault && !isCounted) area.refused(error, "metadata");
    throw error;
  }
}
