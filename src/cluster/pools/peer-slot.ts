import { DEFAULT_TENANT } from "../../auth/caller.ts";
import type { PeerRequest, RemoteGroup, RemoteSlot } from "../../pool/remotes.ts";
import type { Work } from "../../pool/seat.ts";
import type { Ticket } from "../../pool/ticket.ts";
import type { Clock } from "../../system/deps.ts";
import type { Exchange, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Session } from "../../tunnel/session.ts";
import { openUnsent } from "../../tunnel/unsent-exchange.ts";
import type { HeaderPairs } from "../../wire/heads.ts";
import type { PeerOrder } from "../../wire/peer-heads.ts";
import type { JobCounts } from "./job-counts.ts";
import type { WorkTeller } from "./work-teller.ts";

/** The most sessions that an order excludes, and the most warm ones that it names. */
const MAX_EXCLUDED = 16;
const MAX_WARM = 8;

/** What all slots on peers of one pool have in common. */
export interface PeerSlotHost {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly works: WorkTeller;
  readonly counts: JobCounts;
  /** Returns the session on which exchanges with a peer are opened; undefined while there is no link. */
  sessionTo(peer: string): Session | undefined;
}

/** A place where a job is sent. */
export interface PeerPlace {
  readonly server: string;
  readonly group: Pick<RemoteGroup, "model" | "sentAs">;
  /** The only worker that may serve it there. */
  readonly workerId?: string | undefined;
  /** The slot that the peer has offered. */
  readonly slot?: string | undefined;
}

/** A slot on a peer: sends the job over the link, and reports to the peer afterwards what the job cost its worker. */
export class PeerSlot implements RemoteSlot {
  readonly #host: PeerSlotHost;
  readonly #place: PeerPlace;
  readonly #ref: number;
  #isSent = false;

  constructor(host: PeerSlotHost, place: PeerPlace) {
    this.#host = host;
    this.#place = place;
    this.#ref = host.works.nextRef();
  }

  open({ ticket, request }: PeerRequest, sink: ExchangeSink): Exchange {
    const { clock, pluginId } = this.#host;
    const session = this.#host.sessionTo(this.#place.server);
    if (!session) return openUnsent(request, sink, { kind: "lost", reason: "no link to the server" }, clock);
    const { head, body } = request;
    const peer = toOrder(pluginId, this.#place, ticket, { ref: this.#ref, request_id: requestIdIn(head.headers) });
    this.#isSent = true;
    return session.open({ head: { ...head, peer }, body }, sink);
  }

  progress(output: number): void {
    this.#host.works.progress(this.#place.server, this.#ref, output);
  }

  count(work: Work): void {
    this.#host.works.count(this.#place.server, this.#ref, work);
  }

  release(): void {
    if (this.#isSent) this.#host.counts.jobsOut += 1;
  }

  refuse(): void {
    this.#host.counts.refusedOut += 1;
  }
}

function toOrder(
  plugin: string,
  { server, group, workerId, slot }: PeerPlace,
  { caller, class: urgency, endUser, demand }: Ticket,
  { ref, request_id }: Pick<PeerOrder, "ref" | "request_id">,
): PeerOrder {
  // The body names the model as these workers call it, so nothing else may serve it.
  const order: Writable<PeerOrder> = { plugin, model: group.model, exact: true, request_id };
  // A spread for each field would cost more than the rest of the order.
  if (ref !== undefined) order.ref = ref;
  if (group.sentAs !== undefined) order.sent_as = group.sentAs;
  if (workerId !== undefined) order.worker = workerId;
  order.caller = caller.name;
  order.class = urgency;
  if (endUser !== undefined) order.end_user = endUser;
  if (caller.tenant !== DEFAULT_TENANT) order.tenant = caller.tenant;
  if (caller.weight !== 1) order.weight = caller.weight;
  if (slot !== undefined) order.slot = slot;
  const { excluded, affinity } = demand;
  const isThere = (session: string): boolean => session.startsWith(`${server}~`);
  if (excluded.sessions.size > 0) {
    const sessions = [...excluded.sessions].filter(isThere).slice(-MAX_EXCLUDED);
    if (sessions.length > 0) order.excluded = sessions;
  }
  const candidates = affinity?.candidates(group.model) ?? [];
  if (candidates.length > 0) {
    const there = candidates.filter(({ sessionId }) => isThere(sessionId)).slice(0, MAX_WARM);
    if (there.length > 0) order.warm = there.map(({ sessionId, share }) => [sessionId, share] as const);
  }
  return order;
}

/** An order while it is written. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

function requestIdIn(headers: HeaderPairs): string {
  return headers.find(([name]) => name === "x-request-id")?.[1] ?? "";
}
