import type { UpstreamHealth } from "../health.ts";
import type { OpenPeer } from "./peer.ts";

/**
 * Processes in a row that end without a message, after which the MCP server is broken. The probe alone may make one exit.
 */
const SILENT_ENDS = 2;

/** Opens the same peers, and notes what they show about the MCP server's health. */
export function watchedPeer(openPeer: OpenPeer, health: UpstreamHealth): OpenPeer {
  return (events) => {
    let hasSpoken = false;
    let isClosed = false;
    const peer = openPeer({
      onMessage(message) {
        hasSpoken = true;
        health.works();
        events.onMessage(message);
      },
      onExit(reason) {
        const cannotStart = /^it could not be (?:started|reached)/.test(reason);
        if (!hasSpoken && !isClosed)
          health.failed(`the MCP server does not work: ${reason}`, cannotStart ? 1 : SILENT_ENDS);
        events.onExit(reason);
      },
    });
    return {
      send: (message) => peer.send(message),
      get isFull() {
        return peer.isFull;
      },
      close() {
        isClosed = true;
        return peer.close();
      },
    };
  };
}
