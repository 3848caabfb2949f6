import { type Caller, createCaller } from "../../auth/caller.ts";
import type { HeldClaim } from "../../pool/claim.ts";
import type { Demand } from "../../pool/directory.ts";
import { NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { PoolPeers } from "../../pool/pool-peers.ts";
import type { Wait } from "../../pool/waits.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tell } from "../tells.ts";
import { MAX_COUNT, type Offer, type Want, type WantedDemand, type WantedFlow } from "./messages.ts";

/** How long wants stay valid without being renewed: three periods of renewal. */
export const EXPIRY_MS = 1500;

/** The shortest time for which an offered slot is held. */
export const HOLD_MS = 250;

/** Counts offers by outcome: a job took the slot, the peer had no job for it, no answer came in time, or the link broke. */
export interface OfferCounts {
  taken: number;
  declined: number;
  late: number;
  lost: number;
}

export interface OfferingOptions {
  /** The name of the pool. */
  readonly name: string;
  readonly pool: { readonly peers: Pick<PoolPeers, "waitForPeer"> };
  readonly clock: Clock;
  /** Sends a message to a peer. Returns false if it was not sent. */
  readonly send: (peer: string, message: Tell) => boolean;
  readonly rttMs: (peer: string) => number | undefined;
}

/** A slot that was offered to a peer and that a job of the peer takes now. */
export interface TakenSlot {
  readonly claim: HeldClaim;
  /**
   * Returns a caller of the peer with the properties that came with the wants. Another name gets a caller with default
   * properties.
   */
  callerOf(name: string): Caller;
}

/** The waiting jobs of one flow of a peer. Each has a ticket in the queue here, or an offer that is not answered yet. */
interface Standing {
  readonly caller: Caller;
  /** `Clock.elapsed` of the oldest job's arrival at its server. */
  arrivedAt: number;
  /** The newest last. */
  readonly waits: Wait[];
  offered: number;
}

interface Line {
  id: number;
  readonly flows: Map<string, Standing>;
}

interface Held {
  readonly peer: string;
  readonly claim: HeldClaim;
  readonly standing: Standing;
  readonly cancelTimer: CancelTimer;
}

/**
 * The jobs of peers that wait for slots of one pool. Each stands in the pool's own queue with a ticket, so the queue policy
 * compares it with the jobs that wait here. A slot that such a ticket gets is held and offered to the peer.
 */
export class Offering {
  readonly outcomes: OfferCounts = { taken: 0, declined: 0, late: 0, lost: 0 };
  readonly #options: OfferingOptions;
  readonly #peers = new Map<string, { readonly lines: Map<string, Line>; cancelExpiry: CancelTimer }>();
  readonly #held = new Map<string, Held>();
  #slots = 0;

  constructor(options: OfferingOptions) {
    this.#options = options;
  }

  /** The number of slots that are held for peers. */
  get held(): number {
    return this.#held.size;
  }

  /** Takes over what a peer wants now, in place of what it wanted before. */
  onWant(peer: string, { lines }: Want): void {
    const { clock } = this.#options;
    const known = this.#peers.get(peer);
    known?.cancelExpiry();
    if (lines.length === 0 && !known) return;
    const wants = known?.lines ?? new Map<string, Line>();
    this.#peers.set(peer, { lines: wants, cancelExpiry: clock.after(EXPIRY_MS, () => this.#forget(peer)) });
    const told = new Map(lines.map((line) => [JSON.stringify(line.demand), line]));
    for (const [key, line] of wants) if (!told.has(key)) for (const name of line.flows.keys()) leave(line, name);
    for (const [key, { id, demand, flows }] of told) {
      const line = wants.get(key) ?? { id, flows: new Map() };
      line.id = id;
      wants.set(key, line);
      const names = new Map(flows.map((flow) => [nameOf(flow), flow]));
      for (const name of line.flows.keys()) if (!names.has(name)) leave(line, name);
      for (const [name, flow] of names) this.#stand(peer, line, name, flow, demand);
    }
    for (const [key, { flows }] of wants) if (flows.size === 0) wants.delete(key);
    if (lines.length === 0) this.#forget(peer);
    else this.#tellPlaces(peer, wants);
  }

  /** Returns a slot that was offered to this peer, for the job that comes for it; undefined if it is no longer held. */
  take(peer: string, slot: string): TakenSlot | undefined {
    const held = this.#end(peer, slot);
    if (!held) return undefined;
    this.outcomes.taken += 1;
    const { claim, standing } = held;
    return { claim, callerOf: (name) => (standing.caller.name === name ? standing.caller : createCaller(name)) };
  }

  onNo(peer: string, slot: string): void {
    this.#giveBack(peer, slot, "declined");
  }

  /** Removes the jobs of a peer after its link has broken. */
  onLost(peer: string): void {
    this.#forget(peer);
    for (const [slot, held] of [...this.#held]) if (held.peer === peer) this.#giveBack(peer, slot, "lost");
  }

  /** Takes all jobs of peers out of the queue and gives their slots back. */
  close(): void {
    for (const peer of [...this.#peers.keys()]) this.#forget(peer);
    for (const [slot, { peer }] of [...this.#held]) this.#giveBack(peer, slot, "lost");
  }

  /** Gives a flow one ticket for each waiting job that is not being offered a slot. */
  #stand(peer: string, line: Line, name: string, flow: WantedFlow, demand: WantedDemand): void {
    const { clock, pool } = this.#options;
    const arrivedAt = clock.elapsed() - flow.waited_ms;
    let standing = line.flows.get(name);
    if (!standing) {
      standing = { caller: callerOf(flow), arrivedAt, waits: [], offered: 0 };
      line.flows.set(name, standing);
    }
    // The oldest job got a slot elsewhere, and the others have not waited as long.
    if (arrivedAt > standing.arrivedAt + HOLD_MS) {
      for (const wait of standing.waits.splice(0)) wait.leave();
      standing.arrivedAt = arrivedAt;
    }
    const missing = Math.min(flow.count, MAX_COUNT) - standing.offered - standing.waits.length;
    for (let extra = missing; extra < 0; extra += 1) standing.waits.pop()?.leave();
    const { caller, waits } = standing;
    const candidate = { caller, class: flow.class, endUser: flow.end_user, demand: toDemand(demand, flow) };
    for (let each = 0; each < missing; each += 1) {
      let wait: Wait | undefined;
      let claimed: HeldClaim | undefined;
      const onGranted = (claim: HeldClaim): void => {
        claimed = claim;
        // A free slot is granted before `waitForPeer` returns.
        if (!wait) return;
        waits.splice(waits.indexOf(wait), 1);
        this.#offer(peer, claim, standing);
      };
      wait = pool.peers.waitForPeer(candidate, peer, clock.elapsed() - standing.arrivedAt, onGranted);
      if (claimed === undefined) waits.push(wait);
      else if (!this.#offer(peer, claimed, standing)) return;
    }
  }

  /** Holds a slot for a peer and offers it. Returns false if the offer could not be sent. */
  #offer(peer: string, claim: HeldClaim, standing: Standing): boolean {
    const { clock, send, rttMs } = this.#options;
    this.#slots += 1;
    const slot = `${this.#slots}`;
    if (!send(peer, this.#describe(slot, claim))) {
      // The jobs of the peer leave before the slot is released. Otherwise its next job would get the slot at once.
      this.#forget(peer);
      this.outcomes.lost += 1;
      claim.release();
      return false;
    }
    standing.offered += 1;
    const holdMs = Math.max(HOLD_MS, 2 * (rttMs(peer) ?? 0));
    const cancelTimer = clock.after(holdMs, () => this.#giveBack(peer, slot, "late"));
    this.#held.set(slot, { peer, claim, standing, cancelTimer });
    return true;
  }

  #describe(slot: string, claim: HeldClaim): Offer {
    const { worker, sessionId, model, sentAs, hostInfo, embeddingBatchSize, isLoaded, isKeptAlive, tenants } = claim;
    return {
      type: "offer",
      pool: this.#options.name,
      slot,
      model,
      ...(sentAs === model ? {} : { sent_as: sentAs }),
      worker: { id: worker.id, name: worker.name, session: sessionId },
      host_info: hostInfo,
      ...(embeddingBatchSize === undefined ? {} : { batch: embeddingBatchSize }),
      is_loaded: isLoaded,
      is_kept_alive: isKeptAlive,
      ...(tenants && { tenants: [...tenants] }),
    };
  }

  #giveBack(peer: string, slot: string, outcome: keyof OfferCounts): void {
    const held = this.#end(peer, slot);
    if (!held) return;
    this.outcomes[outcome] += 1;
    held.claim.release();
  }

  #end(peer: string, slot: string): Held | undefined {
    const held = this.#held.get(slot);
    if (held?.peer !== peer) return undefined;
    this.#held.delete(slot);
    held.cancelTimer();
    held.standing.offered -= 1;
    return held;
  }

  /** Takes all jobs of a peer out of the queue. Offers that it has not answered remain valid. */
  #forget(peer: string): void {
    const wants = this.#peers.get(peer);
    if (!wants) return;
    this.#peers.delete(peer);
    wants.cancelExpiry();
    for (const line of wants.lines.values()) for (const name of line.flows.keys()) leave(line, name);
  }

  /** Tells a peer how many jobs are before its first one of each line. */
  #tellPlaces(peer: string, wants: ReadonlyMap<string, Line>): void {
    const lines: { readonly id: number; readonly ahead: number }[] = [];
    for (const { id, flows } of wants.values()) {
      const places = [...flows.values()].flatMap(({ waits: [first] }) => (first ? [first.position()] : []));
      if (places.length > 0) lines.push({ id, ahead: Math.max(0, Math.min(...places) - 1) });
    }
    if (lines.length > 0) this.#options.send(peer, { type: "ahead", pool: this.#options.name, lines });
  }
}

/** Takes the jobs of a flow out of the queue. */
function leave({ flows }: Line, name: string): void {
  for (const wait of flows.get(name)?.waits.splice(0) ?? []) wait.leave();
  flows.delete(name);
}

function nameOf({ caller, class: callerClass, end_user }: WantedFlow): string {
  return JSON.stringify([caller, callerClass, end_user]);
}

function callerOf({ caller, tenant, weight, class: callerClass }: WantedFlow): Caller {
  return { ...createCaller(caller), tenant, weight, class: callerClass };
}

function toDemand(
  { model, exact, worker, kind, excluded_sessions = [], excluded_workers = [] }: WantedDemand,
  { tenant }: WantedFlow,
): Demand {
  const isExcluding = excluded_sessions.length + excluded_workers.length > 0;
  return {
    model,
    exact,
    workerId: worker,
    exchangeKind: kind,
    tenant,
    excluded: isExcluding
      ? { sessions: new Set(excluded_sessions), workers: new Set(excluded_workers) }
      : NONE_EXCLUDED,
  };
}
