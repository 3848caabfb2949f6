import type { AnyElysia } from "elysia";
import { createKeyCharges } from "../admin/key-charges.ts";
import { KeyDesk } from "../admin/key-desk.ts";
import { keyRoutes } from "../admin/key-routes.ts";
import { ownKeyRoute } from "../admin/own-key-route.ts";
import { spentLimits } from "../admin/spent-limits.ts";
import { TenantDesk } from "../admin/tenant-desk.ts";
import { tenantRoutes } from "../admin/tenant-routes.ts";
import { AllAudit } from "../audit/all-audit.ts";
import type { AuditTrail } from "../audit/audit.ts";
import { auditRoutes } from "../audit/audit-routes.ts";
import type { Auth } from "../auth/auth.ts";
import { DEFAULT_TENANT } from "../auth/caller.ts";
import { AllCalls } from "../calls/all-calls.ts";
import { callRoutes } from "../calls/call-routes.ts";
import { CallTrail } from "../calls/call-trail.ts";
import { MAX_MEMORY_CALLS, MemoryCalls } from "../calls/memory-calls.ts";
import { toKeyRecord } from "../keys/key-caller.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import type { KeyLimits } from "../keys/key-terms.ts";
import { KeyWriter } from "../keys/key-writer.ts";
import type { OpenedKeys } from "../keys/open-keys.ts";
import { areShared } from "../keys/shared-keys.ts";
import type { TenantEntry } from "../keys/tenant-entry.ts";
import { Calendar } from "../limits/calendar.ts";
import type { KeyCharges } from "../limits/charges.ts";
import { tenantId } from "../limits/holder.ts";
import type { LimitState } from "../limits/limit-state.ts";
import type { KeyHolder } from "../plugin/contract.ts";
import { LinkReadings, type PeerReadings } from "../plugin/peer-readings.ts";
import type { KeysState } from "../state/cluster-metrics.ts";
import type { KeysAway } from "../state/problems-found.ts";
import type { Clock, Log } from "../system/deps.ts";
import type { KeyMask } from "../system/key-mask.ts";
import { AllUsage } from "../usage/all-usage.ts";
import { EndedUsage } from "../usage/ended-usage.ts";
import { seriesRoutes } from "../usage/series-routes.ts";
import { usageRoutes } from "../usage/usage-routes.ts";
import type { AppCluster } from "./app-parts.ts";
import { endWithKeys, type KeyEndsOptions } from "./key-ends.ts";
import type { Records } from "./records.ts";

export interface TeamsOptions extends Pick<KeyEndsOptions, "sessions" | "plugins"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly auth: Auth;
  readonly audit: AuditTrail;
  readonly keys: OpenedKeys | undefined;
  readonly records: Records | undefined;
  readonly cluster: AppCluster | undefined;
  readonly mask: KeyMask;
  readonly usageFlushMs: number;
  readonly mcpCallsKept: number;
}

/** Joins what the server does for teams: the keys that were made, their limits, what they have used and called, and the audit trail. */
export class Teams {
  readonly usage: EndedUsage;
  /** What the other servers are asked with; undefined for a server that is the only one. */
  readonly readings: PeerReadings | undefined;
  /** Usage and ended requests of all servers. */
  readonly allUsage: AllUsage;
  /** The calls of MCP servers that clients of this server have made. */
  readonly calls: CallTrail;
  /** The same at all servers. */
  readonly allCalls: AllCalls;
  /** What operators did at all servers. */
  readonly allAudit: AllAudit;
  /** Opens what requests take from the limits of their keys; undefined for a server without such keys. */
  readonly charges: KeyCharges | undefined;
  /** Changes made keys; undefined for a server without such keys. */
  readonly writer: KeyWriter | undefined;
  readonly #options: TeamsOptions;
  readonly #stopEnding: (() => void) | undefined;

  constructor(options: TeamsOptions) {
    this.#options = options;
    const { clock, keys, records, cluster } = options;
    const { usageFlushMs: flushMs } = options;
    this.usage = new EndedUsage({ clock, flushMs, usage: records?.usage?.(), failedJobs: records?.failedJobs?.() });
    this.calls = createCallTrail(options);
    const readings = cluster && createReadings(cluster, options);
    this.readings = readings;
    this.allUsage = new AllUsage({ clock, usage: this.usage, readings });
    this.allCalls = new AllCalls(this.calls.reader, readings);
    this.allAudit = new AllAudit(options.audit, readings);
    this.writer =
      keys && new KeyWriter({ book: keys.book, shared: keys.shared, clock, isFailing: records?.areFailing });
    // Until it is known which keys there are, every door without a key of its own is shut.
    keys?.shared?.onRead(() => options.auth.refresh());
    this.#stopEnding = keys && endWithKeys({ ...options, book: keys.book });
    // After the requests of a revoked key have ended, so that losing its limits lets none of them go on.
    this.charges = keys && createKeyCharges(keys.book, keys.tenants, clock, this.usage.meter, cluster?.keyUses);
  }

  /** The routes by which operators manage keys and read usage and the trail, and by which holders read of their own key. */
  routes(): readonly AnyElysia[] {
    const { auth, audit, clock, keys, records } = this.#options;
    const { usage, allUsage, allAudit } = this;
    const book = keys?.book;
    const tenants = keys?.tenants;
    const { meter } = usage;
    const elsewhere = this.#options.cluster?.keyUses;
    const spent = { book: book ?? NO_KEYS, clock, calendar: new Calendar(), meter, elsewhere };
    const statesOf = (id: string, limits: KeyLimits): readonly LimitState[] =>
      this.charges?.allowances.of(id)?.states() ?? spentLimits(id, limits, spent);
    const limitStates = ({ id, limits }: KeyEntry) => statesOf(id, limits);
    const tenantStates = ({ name, limits }: TenantEntry) => statesOf(tenantId(name), limits);
    const desk = new KeyDesk({
      book,
      writer: this.writer,
      isKept: () => keys?.isKept ?? false,
      // The shared keys of a cluster are not kept by the store of one server.
      isFailing: () => !areShared(keys?.shared) && records?.areFailing() === true,
      audit,
    });
    const tenantDesk = new TenantDesk({ tenants, isFailing: () => records?.areFailing() === true, audit });
    return [
      keyRoutes({ auth, clock, desk, limitStates }),
      tenantRoutes({ auth, clock, desk: tenantDesk, limitStates: tenantStates }),
      ownKeyRoute({ auth, book, limitStates, tenants, tenantStates }),
      usageRoutes({ auth, clock, usage: allUsage, nameOfKey: (key) => book?.get(key)?.name }),
      seriesRoutes({
        auth,
        clock,
        read: (query) => allUsage.read(query),
        nameOfKey: (key) => book?.get(key)?.name,
        tenantOfKey: (key) => book?.get(key)?.tenant ?? DEFAULT_TENANT,
      }),
      callRoutes({ auth, calls: this.allCalls, kept: this.calls.kept }),
      auditRoutes(allAudit, auth),
    ];
  }

  /** Returns the made keys of clients that are valid now, with their callers. */
  keyHolders(): readonly KeyHolder[] {
    const { keys, clock } = this.#options;
    const now = clock.now();
    return (keys?.book.list() ?? [])
      .filter((entry) => entry.kind === "client" && entry.revokedAt === undefined && (entry.expiresAt ?? now + 1) > now)
      .map((entry) => ({ id: entry.id, name: entry.name, caller: toKeyRecord(entry, 0) }));
  }

  /** Returns whether created keys are as last known, because no change of them is heard in the cluster. */
  keysAway(): KeysAway | undefined {
    const { keys, clock } = this.#options;
    const standing = keys?.shared?.standing();
    if (standing?.kind !== "away") return undefined;
    const { since, until, isUnread } = standing;
    return { since, until, isUnread, isStale: clock.now() >= until };
  }

  /** The same as a word, for the metrics of a cluster; undefined for a server that is no part of one. */
  keysState(): KeysState | undefined {
    const away = this.keysAway();
    if (away) return away.isStale ? "stale" : "away";
    return this.#options.keys?.shared?.standing().kind;
  }

  /** Writes what was used and is not written yet, and ends all timers. */
  close(): void {
    this.#stopEnding?.();
    this.#options.keys?.file?.stop();
    this.usage.close();
    this.calls.close();
  }
}

/** Reads from all servers that are listed: one that has gone lately is named in answers, since what it keeps is not in them. */
function createReadings({ ports, sights }: AppCluster, { clock, log }: TeamsOptions): LinkReadings {
  const { serverId, exchanges, members } = ports;
  const peers = (): Iterable<string> => sights?.reports.facts().peers.map(({ id }) => id) ?? members.ids();
  return new LinkReadings({ serverId, exchanges, peers, clock, log });
}

function createCallTrail({ records, clock, log, mask, mcpCallsKept, usageFlushMs: flushMs }: TeamsOptions): CallTrail {
  const stored = records?.calls?.();
  const kept = stored ? mcpCallsKept : Math.min(mcpCallsKept, MAX_MEMORY_CALLS);
  return new CallTrail({ clock, log, mask, records: stored ?? new MemoryCalls(), kept, flushMs });
}

const NO_KEYS = { list: () => [] };
