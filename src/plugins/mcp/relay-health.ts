import type { Condition } from "../../plugin/reports.ts";
import type { CallReport } from "./call-relay.ts";
import type { Relay } from "./relays.ts";

/** Failed calls in a row after which an MCP server is broken, and not only one of its functions. */
const BROKEN_AFTER = 3;
/** How many relays a title names. */
const MAX_NAMED = 3;

/**
 * Returns why the MCP server behind a relay is broken; undefined if it works as far as is known. A relay that can tell
 * says so itself. For all others, calls show it.
 */
export function brokenReason({ session, failuresInARow, lastError }: Relay): string | undefined {
  if (session.offer.status === "not_ready") return session.offer.reason ?? "the relay says that it is not ready";
  if (failuresInARow === 0 || lastError === undefined) return undefined;
  if (lastError === "upstream_unreachable") return "the MCP server cannot be reached";
  return failuresInARow >= BROKEN_AFTER ? `the last ${failuresInARow} calls failed with ${lastError}` : undefined;
}

/** How a call ended, as far as this says something about its MCP server. */
type Outcome = Pick<CallReport, "outcome" | "fault" | "status">;

/** Returns the code under which a call that has ended counts as failed; undefined for any other call. */
function failureCode({ outcome, fault, status }: Outcome): string | undefined {
  if (outcome === "failed") return fault?.code ?? "upstream_error";
  return outcome === "completed" && status !== undefined && status >= 500 ? `upstream_status_${status}` : undefined;
}

/** Counts a call that has ended among those that its MCP server served or failed. */
export function countOutcome(relay: Relay, report: Outcome, now: number): void {
  const code = failureCode(report);
  if (code === undefined) {
    relay.served += 1;
    if (report.outcome === "completed") relay.failuresInARow = 0;
    return;
  }
  relay.failed += 1;
  // Limits of this server say nothing about the MCP server.
  if (code.startsWith("upstream_")) relay.failuresInARow += 1;
  relay.lastError = code;
  relay.lastErrorAt = now;
}

/** Reports the relays whose MCP servers are broken, as one condition. */
export function findBroken(relays: Iterable<Relay>): readonly Condition[] {
  const broken = [...relays].flatMap((relay) => {
    const reason = brokenReason(relay);
    return reason === undefined ? [] : [{ name: relay.session.worker.name, reason }];
  });
  const first = broken[0];
  if (first === undefined) return [];
  const names = broken.slice(0, MAX_NAMED).map(({ name }) => `'${shorten(name)}'`);
  const more = broken.length > MAX_NAMED ? ` and ${broken.length - MAX_NAMED} more` : "";
  return [
    {
      code: "relay_broken",
      severity: "warning",
      title: `The MCP server behind ${names.join(", ")}${more} does not work.`,
      advice: `The first one's reason: ${shorten(first.reason)}. Its relay's log says more.`,
    },
  ];
}

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}
