import { ANONYMOUS } from "../src/auth/caller.ts";
import type { Claim } from "../src/pool/claim.ts";
import type { Demand } from "../src/pool/directory.ts";
import { NONE_EXCLUDED } from "../src/pool/excluded.ts";
import { Pool } from "../src/pool/pool.ts";
import { Soonest } from "../src/pool/routing/soonest.ts";
import { systemClock } from "../src/system/clock.ts";
import type { Session } from "../src/tunnel/session.ts";

/** Claims held during the measurement, so that workers have different loads. */
const HELD = 32;

/** Nanoseconds per claim and release, one value per round, among few and among many sessions. */
export interface ClaimCosts {
  readonly few: readonly number[];
  readonly many: readonly number[];
}

/** Measures `Pool.claim` and `release` in this process, without sockets. Few and many sessions take turns. */
export function measureClaims(few: number, many: number, rounds: number, claims: number): ClaimCosts {
  const pools = { few: createPool(few), many: createPool(many) };
  const costs = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const size of ["few", "many"] as const) {
      const cost = timeClaims(pools[size], claims);
      if (round > 0) costs[size].push(cost);
    }
  }
  return costs;
}

function timeClaims(pool: Pool, claims: number): number {
  const demand: Demand = { model: "bench-chat", exact: false, excluded: NONE_EXCLUDED };
  const held: (Claim | undefined)[] = new Array(HELD).fill(undefined);
  const startedAt = Bun.nanoseconds();
  for (let at = 0; at < claims; at += 1) {
    const claim = pool.claim(pool.issueTicket({ caller: ANONYMOUS, demand }, 0));
    if (!claim) throw new Error("a pool with free slots gave no claim");
    held[at % HELD]?.release();
    held[at % HELD] = claim;
  }
  const cost = (Bun.nanoseconds() - startedAt) / claims;
  for (const claim of held) claim?.release();
  return cost;
}

function createPool(sessions: number): Pool {
  const pool = new Pool({
    clock: systemClock,
    queueSize: 100,
    queueTimeoutMs: 60_000,
    modelGraceMs: 60_000,
    serverId: "bench",
    name: "llm",
    routePolicy: new Soonest(),
  });
  for (let at = 1; at <= sessions; at += 1) pool.onOpened(createSession(at));
  return pool;
}

function createSession(at: number): Session {
  const never = (): never => {
    throw new Error("nothing is sent here");
  };
  return {
    id: `session-${at}`,
    worker: { id: `idle-${at}`, name: `idle worker ${at}`, version: undefined, hostInfo: {} },
    dialect: "native",
    offer: {
      models: ["bench-chat", `model-${at % 40}:8b-q4`, `model-${(at + 7) % 40}:70b-q8`],
      maxConcurrency: 4,
      embeddingBatchSize: undefined,
      status: "ready",
      reason: undefined,
    },
    connectedAt: 0,
    lastHeartbeatAt: 0,
    silentMs: 0,
    telemetry: { cpuPercent: undefined, ramUsedPercent: undefined },
    open: never,
    close: never,
  };
}
