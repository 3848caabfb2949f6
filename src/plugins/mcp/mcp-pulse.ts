import type { Metrics } from "../../figures/metrics.ts";
import { findStale } from "../../models/problems.ts";
import type { Condition, Pulse } from "../../plugin/reports.ts";
import type { McpArea } from "./mcp-area.ts";
import { brokenReason, findBroken } from "./relay-health.ts";

/** The figures of the relays. Relays declare no slots, and calls wait in no queue. */
export function toMcpPulse(area: McpArea, metrics: Metrics): Pulse {
  let [idle, working, notReady, draining] = [0, 0, 0, 0];
  for (const relay of area.relays.all()) {
    if (relay.isDrained) draining += 1;
    else if (brokenReason(relay) !== undefined) notReady += 1;
    else if (relay.calls + relay.streams > 0) working += 1;
    else idle += 1;
  }
  const { ended, failed, bytesOut } = metrics.totals("mcp");
  return {
    workers: { idle, working, notReady, draining },
    requests: ended,
    failures: failed,
    bytes: bytesOut,
  };
}

/** The problems that only relays have. */
export function findMcpProblems(area: McpArea, pingIntervalMs: number): readonly Condition[] {
  const sessions = Array.from(area.relays.all(), ({ session }) => session);
  return [...findStale(sessions, pingIntervalMs), ...findBroken(area.relays.all())];
}
