import { type Caller, createCaller, DEFAULT_TENANT } from "../../auth/caller.ts";
import type { HeldClaim } from "../../pool/claim.ts";
import { NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { PoolPeers } from "../../pool/pool-peers.ts";
import type { Candidate } from "../../pool/queue-policy.ts";
import { verdictOf } from "../../pool/routing/verdict.ts";
import type { Work } from "../../pool/seat.ts";
import type { ExchangeEnd } from "../../tunnel/exchange.ts";
import type { Admitted, PeerHandler, PeerRequest, Refusal } from "../../tunnel/peer-handler.ts";
import type { ResponseHead } from "../../wire/heads.ts";
import { HTTP_KIND } from "../../wire/names.ts";
import type { PeerOrder } from "../../wire/peer-heads.ts";
import type { JobCounts } from "./job-counts.ts";
import type { PeerWorks } from "./peer-works.ts";

/** An offered slot that a job of the peer takes. */
export interface TakenSlot {
  readonly claim: HeldClaim;
  /** Returns a caller of the peer by its name. */
  callerOf(name: string): Caller;
}

export interface PeerJobsOptions {
  readonly pool: { readonly peers: Pick<PoolPeers, "claimForPeer" | "freeFor" | "ticketFor"> };
  readonly works: PeerWorks;
  readonly counts: JobCounts;
  /** Returns a slot that was offered to a peer; undefined if it is no longer held. */
  readonly takeOffered: (peer: string, slot: string) => TakenSlot | undefined;
}

/**
 * Serves the jobs that peers send to the workers of this server's pool. A job gets the slot that it was offered, or a free
 * one. Otherwise it is refused, because it waits at its entry server.
 */
export class PeerJobs implements PeerHandler {
  readonly #options: PeerJobsOptions;

  constructor(options: PeerJobsOptions) {
    this.#options = options;
  }

  admit({ peerId, head, order }: PeerRequest): Admitted | Refusal {
    if (!order) return { ok: false, code: "protocol_error", message: "the request names no model" };
    const claim = this.#claim(peerId, order, head.kind);
    const { works, counts } = this.#options;
    if (!claim) {
      counts.refusedIn += 1;
      return { ok: false, code: "busy", message: "no slot is free", free: this.#freeFor(order, head.kind) };
    }
    counts.jobsIn += 1;
    const { ref } = order;
    if (ref !== undefined) works.began(peerId, ref, claim);
    const { id, name } = claim.worker;
    return {
      ok: true,
      worker: { id, name, session: claim.sessionId },
      open: (request, sink) => claim.open(request, sink),
      onEnd: (end, answer, wasSilent) => {
        claim.judge(verdictOf({ end, head: answer, wasSilent }));
        if (ref !== undefined) works.ended(peerId, ref, outcomeOf(end, answer));
        if (end.kind === "refused") claim.refuse();
      },
      onSettled: () => claim.release(),
    };
  }

  #claim(peerId: string, order: PeerOrder, kind: string | undefined): HeldClaim | undefined {
    const { pool, takeOffered } = this.#options;
    const { sent_as = order.model, slot } = order;
    const taken = slot === undefined ? undefined : takeOffered(peerId, slot);
    const isServed = taken?.claim.tenants?.has(order.tenant ?? DEFAULT_TENANT) ?? true;
    if (taken && isServed && taken.claim.sentAs === sent_as) {
      const candidate = toCandidate(order, kind, taken.callerOf(order.caller ?? peerId));
      taken.claim.assign(pool.peers.ticketFor(candidate, peerId));
      return taken.claim;
    }
    // The worker has changed what it calls the model, or whom it serves, since it was offered.
    taken?.claim.release();
    const claim = pool.peers.claimForPeer(toCandidate(order, kind, callerIn(order, peerId)), peerId);
    if (!claim || claim.sentAs === sent_as) return claim;
    claim.release();
    return undefined;
  }

  #freeFor(order: PeerOrder, kind: string | undefined): number {
    return this.#options.pool.peers.freeFor(toCandidate(order, kind, callerIn(order, "")).demand);
  }
}

/** Returns the caller of a peer's job, as far as the order describes it. */
function callerIn({ caller, tenant, weight, class: urgency }: PeerOrder, peerId: string): Caller {
  const known = createCaller(caller ?? peerId);
  if (urgency === undefined) return known;
  return { ...known, class: urgency, tenant: tenant ?? known.tenant, weight: weight ?? known.weight };
}

function toCandidate(order: PeerOrder, kind = HTTP_KIND, caller: Caller): Candidate {
  const { model, exact, worker, excluded, end_user, warm } = order;
  return {
    caller,
    class: order.class ?? caller.class,
    endUser: end_user,
    demand: {
      model,
      exact,
      workerId: worker,
      exchangeKind: kind === HTTP_KIND ? undefined : kind,
      tenant: order.tenant ?? DEFAULT_TENANT,
      excluded: excluded ? { sessions: new Set(excluded), workers: NONE_EXCLUDED.workers } : NONE_EXCLUDED,
      affinity: warm && {
        candidates: () => warm.map(([sessionId, share]) => ({ sessionId, share, source: "prefix" })),
      },
    },
  };
}

/** Returns how a job ended for its worker, as this server sees it; undefined if no worker has worked on it. */
function outcomeOf(end: ExchangeEnd, head: ResponseHead | undefined): Pick<Work, "outcome" | "error"> | undefined {
  switch (end.kind) {
    case "complete": {
      const status = head?.status ?? 200;
      return status < 500
        ? { outcome: "completed", error: undefined }
        : { outcome: "failed", error: `status ${status}` };
    }
    case "canceled":
      return { outcome: "canceled", error: undefined };
    case "lost":
      return { outcome: "failed", error: "lost" };
    case "broken":
      return { outcome: "failed", error: end.code };
    case "refused":
    case "unsupported":
    case "too_large":
      return undefined;
    default:
      return end satisfies never;
  }
}
