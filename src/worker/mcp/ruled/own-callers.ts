import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../../../system/deps.ts";
import { digest } from "../guard.ts";
import type { FileCaller } from "../mcp-server.ts";
import { compileRules, type RuleSet } from "../rules.ts";
import { CallGate } from "./call-gate.ts";

/** A caller of the relay's own list. */
export interface OwnCaller {
  readonly name: string;
  /** Undefined: everything. */
  readonly rules: RuleSet | undefined;
  /** Counts its calls; undefined for a caller without limits. */
  readonly gate: CallGate | undefined;
}

/** Returns a function that finds a caller by its token; it gives undefined for a token that is nobody's. */
export function ownCallers(callers: readonly FileCaller[], clock: Clock): (token: string) => OwnCaller | undefined {
  const known = callers.map(({ name, token, rules, ...limits }) => ({
    wanted: digest(token),
    caller: {
      name,
      rules: Object.keys(rules).length === 0 ? undefined : compileRules(rules),
      gate: Object.values(limits).some((each) => each !== undefined) ? new CallGate(limits, clock) : undefined,
    },
  }));
  return (token) => {
    const given = digest(token);
    // All are compared, so the time says nothing about where in the list a token is.
    return known.filter(({ wanted }) => timingSafeEqual(wanted, given))[0]?.caller;
  };
}
