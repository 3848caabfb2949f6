import { DEFAULT_TENANT } from "../../auth/caller.ts";
import type { Demand } from "../../pool/directory.ts";
import { NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { RemoteChoice, RemoteSlot } from "../../pool/remotes.ts";
import type { Ticket } from "../../pool/ticket.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tell } from "../tells.ts";
import {
  MAX_COUNT,
  MAX_FLOWS,
  MAX_LINES,
  type Offer,
  type WantedDemand,
  type WantedFlow,
  type WantedLine,
} from "./messages.ts";
import { chooseOwners, type Owner } from "./owners.ts";

/** How often wants are renewed. */
export const RENEWAL_MS = 500;

/** How long changes are collected before they are sent, while few jobs wait and while many do. */
const GATHER_MS = 5;
const GATHER_MANY_MS = 50;
const MANY = 64;

/**
 * The most characters of a message, fewer than a link takes: a message that is too large would not be sent at all. A line and a
 * flow have about this many beside their texts. What does not fit is sent once something before it no longer waits.
 */
const MAX_CHARS = 200 * 1024;
const LINE_CHARS = 60;
const FLOW_CHARS = 130;

/** A slot that a peer has offered, before it is held. */
export interface OfferedSlot {
  readonly peer: string;
  readonly slot: string;
  readonly offer: Offer;
}

export interface WantingOptions {
  /** The name of the pool. */
  readonly name: string;
  readonly clock: Clock;
  /** Sends a message to a peer. Returns false if it was not sent. */
  readonly send: (peer: string, message: Tell) => boolean;
  /** Lists the linked peers with workers that may serve a demand, busy or not. */
  readonly ownersOf: (demand: Demand) => Iterable<Owner>;
  /** Gives a slot to a waiting job; see `PoolPeers.serveRemote`. */
  readonly serve: (choice: RemoteChoice) => boolean;
  /** Takes an offered slot, for one attempt of a job. */
  readonly hold: (slot: OfferedSlot) => RemoteSlot;
  /** From 0 to 1, for the choice among peers that are alike. */
  readonly random: () => number;
}

/** The jobs that wait here with the same requirements. */
interface Line {
  readonly id: number;
  readonly key: string;
  readonly demand: Demand;
  readonly wanted: WantedDemand;
  readonly tickets: Set<Ticket>;
  /** The peers that have been asked. */
  owners: readonly string[];
  /** How many jobs are before the first one in the queue of each of these peers, as the peer has reported. */
  readonly ahead: Map<string, number>;
  isChanged: boolean;
}

/**
 * Tells peers of the jobs of one pool that wait here. Peers that probably have slots for a job are asked to offer one when it
 * is free. Only a few are asked, so that few slots are offered to the same job.
 */
export class Wanting {
  readonly #options: WantingOptions;
  readonly #lines = new Map<string, Line>();
  readonly #byTicket = new Map<Ticket, Line>();
  /** The peers that have been told of jobs which wait. */
  readonly #told = new Set<string>();
  #ids = 0;
  #cancelFlush: CancelTimer | undefined;
  #cancelRenewal: CancelTimer | undefined;

  constructor(options: WantingOptions) {
    this.#options = options;
  }

  want(ticket: Ticket): void {
    const { demand } = ticket;
    const wanted = toWanted(demand);
    const key = JSON.stringify(wanted);
    let line = this.#lines.get(key);
    if (!line) {
      this.#ids += 1;
      line = { id: this.#ids, key, demand, wanted, tickets: new Set(), owners: [], ahead: new Map(), isChanged: true };
      this.#lines.set(key, line);
    }
    line.tickets.add(ticket);
    this.#byTicket.set(ticket, line);
    this.#changed(line);
  }

  unwant(ticket: Ticket): void {
    const line = this.#byTicket.get(ticket);
    if (!line) return;
    this.#byTicket.delete(ticket);
    line.tickets.delete(ticket);
    this.#changed(line);
  }

  /** Returns how many jobs of other servers come before those of this server that wait like this job, as far as is known. */
  ahead(ticket: Ticket): number {
    let least: number | undefined;
    for (const ahead of this.#byTicket.get(ticket)?.ahead.values() ?? []) least = Math.min(least ?? ahead, ahead);
    return least ?? 0;
  }

  /** Takes an offered slot for a waiting job, or declines it. */
  onOffer(peer: string, offer: Offer): void {
    const { slot } = offer;
    const choice: RemoteChoice = {
      server: peer,
      group: {
        model: offer.model,
        sentAs: offer.sent_as,
        hostInfo: offer.host_info,
        embeddingBatchSize: offer.batch,
        isLoaded: offer.is_loaded,
        isKeptAlive: offer.is_kept_alive,
        ...(offer.kinds ? { exchangeKinds: offer.kinds } : {}),
        ...(offer.tenants ? { tenants: offer.tenants } : {}),
      },
      workerId: offer.worker.id,
      sessionId: offer.worker.session,
      isOffered: true,
      hold: () => this.#hold({ peer, slot, offer }),
    };
    if (!this.#options.serve(choice)) this.#decline(peer, slot);
  }

  onAhead(peer: string, lines: readonly { readonly id: number; readonly ahead: number }[]): void {
    const byId = new Map([...this.#lines.values()].map((line) => [line.id, line]));
    for (const { id, ahead } of lines) {
      const line = byId.get(id);
      if (line?.owners.includes(peer)) line.ahead.set(peer, ahead);
    }
  }

  /** Chooses peers again, after a link was established or the workers of a peer have changed. */
  ownersChanged(): void {
    this.#changeAll();
  }

  /** Handles a broken link. The peer forgets what it was told. */
  onLost(peer: string): void {
    this.#told.delete(peer);
    for (const line of this.#lines.values()) line.ahead.delete(peer);
    this.#changeAll();
  }

  /** Stops telling peers anything. */
  close(): void {
    this.#cancelFlush?.();
    this.#cancelRenewal?.();
  }

  #hold(offered: OfferedSlot): RemoteSlot {
    const slot = this.#options.hold(offered);
    let isOpened = false;
    const giveBack = (): void => {
      if (!isOpened) this.#decline(offered.peer, offered.slot);
      isOpened = true;
    };
    return {
      open: (request, sink) => {
        isOpened = true;
        return slot.open(request, sink);
      },
      progress: (output) => slot.progress(output),
      count: (work) => slot.count(work),
      release: () => {
        giveBack();
        slot.release();
      },
      refuse: () => {
        giveBack();
        slot.refuse();
      },
    };
  }

  #decline(peer: string, slot: string): void {
    this.#options.send(peer, { type: "no", pool: this.#options.name, slot });
  }

  #changeAll(): void {
    for (const line of this.#lines.values()) this.#changed(line);
  }

  #changed(line: Line): void {
    const { clock } = this.#options;
    line.isChanged = true;
    const gatherMs = this.#byTicket.size > MANY ? GATHER_MANY_MS : GATHER_MS;
    this.#cancelFlush ??= clock.after(gatherMs, () => {
      this.#cancelFlush = undefined;
      this.#flush(false);
    });
    this.#cancelRenewal ??= clock.after(RENEWAL_MS, () => this.#renew());
  }

  #renew(): void {
    this.#cancelRenewal = undefined;
    this.#flush(true);
    if (this.#lines.size > 0) this.#cancelRenewal = this.#options.clock.after(RENEWAL_MS, () => this.#renew());
  }

  /** Tells peers which jobs wait: the peers for which something has changed, or all of them. */
  #flush(all: boolean): void {
    const { ownersOf, random } = this.#options;
    const toTell = new Set(all ? this.#told : []);
    for (const line of [...this.#lines.values()]) {
      if (!line.isChanged && !all) continue;
      line.isChanged = false;
      for (const peer of line.owners) toTell.add(peer);
      if (line.tickets.size === 0) {
        this.#lines.delete(line.key);
        continue;
      }
      const owners = Array.from(ownersOf(line.demand), (owner) => (all ? owner : { ...owner, free: 0 }));
      line.owners = chooseOwners(owners, line.tickets.size, new Set(line.owners), random);
      for (const peer of line.owners) toTell.add(peer);
      for (const peer of line.ahead.keys()) if (!line.owners.includes(peer)) line.ahead.delete(peer);
    }
    for (const peer of toTell) this.#tell(peer);
  }

  #tell(peer: string): void {
    const { name, send } = this.#options;
    const lines: WantedLine[] = [];
    let room = MAX_CHARS;
    for (const { id, key, wanted, owners, tickets } of this.#lines.values()) {
      if (lines.length >= MAX_LINES) break;
      if (!owners.includes(peer)) continue;
      room -= LINE_CHARS + key.length;
      const flows: WantedFlow[] = [];
      for (const flow of this.#flowsOf(tickets)) {
        room -= FLOW_CHARS + flow.caller.length + flow.tenant.length + (flow.end_user?.length ?? 0);
        if (room < 0) break;
        flows.push(flow);
      }
      if (flows.length > 0) lines.push({ id, demand: wanted, flows });
      if (room < 0) break;
    }
    if (lines.length === 0 && !this.#told.has(peer)) return;
    if (lines.length === 0) this.#told.delete(peer);
    else this.#told.add(peer);
    send(peer, { type: "want", pool: name, lines });
  }

  #flowsOf(tickets: Iterable<Ticket>): WantedFlow[] {
    const now = this.#options.clock.elapsed();
    const flows = new Map<string, { -readonly [Name in keyof WantedFlow]: WantedFlow[Name] }>();
    for (const { caller, class: callerClass, endUser, arrivedAt } of tickets) {
      const key = `${callerClass} ${caller.name} ${endUser ?? ""}`;
      const waited_ms = Math.max(0, Math.round(now - arrivedAt));
      const known = flows.get(key);
      if (known) {
        known.count = Math.min(MAX_COUNT, known.count + 1);
        known.waited_ms = Math.max(known.waited_ms, waited_ms);
      } else
        flows.set(key, {
          caller: caller.name,
          tenant: caller.tenant,
          weight: caller.weight,
          class: callerClass,
          ...(endUser === undefined ? {} : { end_user: endUser }),
          count: 1,
          waited_ms,
        });
    }
    const all = [...flows.values()];
    return all.length <= MAX_FLOWS ? all : all.sort((a, b) => b.waited_ms - a.waited_ms).slice(0, MAX_FLOWS);
  }
}

function toWanted({ model, exact, workerId, exchangeKind, excluded, tenant }: Demand): WantedDemand {
  return {
    model,
    exact,
    ...(workerId === undefined ? {} : { worker: workerId }),
    ...(exchangeKind === undefined ? {} : { kind: exchangeKind }),
    // Each tenant has lines of its own, because a worker may serve only some.
    ...(tenant === undefined || tenant === DEFAULT_TENANT ? {} : { tenant }),
    ...(excluded === NONE_EXCLUDED
      ? {}
      : { excluded_sessions: [...excluded.sessions], excluded_workers: [...excluded.workers] }),
  };
}
