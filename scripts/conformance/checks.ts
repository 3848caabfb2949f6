import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The result of one check; `absent` if the suite did not run it. */
export type Verdict = "SUCCESS" | "SKIPPED" | "WARNING" | "FAILURE" | "absent";

/** The checks of one scenario by id, each with its worst verdict. */
export type Checks = ReadonlyMap<string, Verdict>;

const RANK: Readonly<Record<Verdict, number>> = { absent: 0, SUCCESS: 1, SKIPPED: 2, WARNING: 3, FAILURE: 4 };

/** Reads what the suite wrote to its output directory, by scenario: `server-{scenario}-{time}/checks.json`. */
export function readChecks(directory: string): ReadonlyMap<string, Checks> {
  const scenarios = new Map<string, Checks>();
  for (const entry of readdirSync(directory)) {
    const file = join(directory, entry, "checks.json");
    if (!existsSync(file)) continue;
    const name = entry.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
    scenarios.set(name, toChecks(JSON.parse(readFileSync(file, "utf8"))));
  }
  return scenarios;
}

function toChecks(written: readonly { readonly id: string; readonly status: string }[]): Checks {
  const checks = new Map<string, Verdict>();
  for (const { id, status } of written) {
    // Other values are remarks on the traffic, not verdicts.
    if (!isVerdict(status)) continue;
    const before = checks.get(id) ?? "absent";
    if (RANK[status] > RANK[before]) checks.set(id, status);
  }
  return checks;
}

function isVerdict(status: string): status is Verdict {
  return status in RANK;
}

/** `5/6`: the number of passed checks, out of those that passed or failed. */
export function score(checks: Checks | undefined): string {
  if (!checks) return "not run";
  const verdicts = [...checks.values()];
  const good = verdicts.filter((verdict) => verdict === "SUCCESS").length;
  return `${good}/${good + verdicts.filter((verdict) => verdict === "FAILURE").length}`;
}

/** Returns the checks with a worse verdict through the relay than directly. */
export function lost(direct: Checks | undefined, relayed: Checks | undefined): readonly string[] {
  const ids = new Set([...(direct?.keys() ?? []), ...(relayed?.keys() ?? [])]);
  return [...ids].filter((id) => {
    const [was, is] = [direct?.get(id) ?? "absent", relayed?.get(id) ?? "absent"];
    return is !== was && is !== "SUCCESS" && (is === "absent" ? was === "SUCCESS" : RANK[is] > RANK[was]);
  });
}
