import type { Exchange, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import type { ServingWorker } from "../wire/peer-heads.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import type { Claim, ClaimedWorker } from "./claim.ts";
import { type Excluded, NONE_EXCLUDED, withSession } from "./excluded.ts";
import type { RemoteChoice, RemoteSlot } from "./remotes.ts";
import type { Route } from "./routing/route.ts";
import type { Work } from "./seat.ts";
import type { JobTicket, Ticket } from "./ticket.ts";

/** Keeps the count of slots that are held on peers. */
export interface RemoteClaimOwner {
  /** Called once for each claim, when it has been given back. `work` is undefined for a job that was not served. */
  onReturned(ticket: JobTicket, work: Work | undefined): void;
}

/**
 * A slot on a peer, held for one job of this server. The peer chooses the worker, judges it by how the exchange ends, and
 * keeps its totals; this side counts the job, charges its caller, and tells the peer what the job used.
 */
export class RemoteClaim implements Claim {
  readonly route: Route;
  readonly #choice: RemoteChoice;
  readonly #slot: RemoteSlot;
  readonly #ticket: JobTicket;
  /** Whether the job had had a slot before this one. */
  readonly #wasAccepted: boolean;
  readonly #owner: RemoteClaimOwner;
  #worker: ClaimedWorker;
  #sessionId: string;
  #isHeld = true;
  #work: Work | undefined;
  /** Whether the link broke, which no worker has caused. */
  #isLinkLost = false;

  constructor(choice: RemoteChoice, ticket: JobTicket, owner: RemoteClaimOwner) {
    const { server, workerId = "", sessionId = "", reason = reasonOf(ticket), share } = choice;
    this.route = share === undefined ? { reason } : { reason, share };
    this.#choice = choice;
    this.#slot = choice.hold();
    this.#ticket = ticket;
    this.#wasAccepted = ticket.wasAccepted;
    ticket.wasAccepted = true;
    this.#owner = owner;
    this.#worker = { id: workerId, name: workerId, server };
    this.#sessionId = sessionId;
  }

  get worker(): ClaimedWorker {
    return this.#worker;
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  get isLoaded(): boolean {
    return this.#choice.group.isLoaded;
  }

  get model(): string {
    return this.#choice.group.model;
  }

  get sentAs(): string {
    return this.#choice.group.sentAs ?? this.model;
  }

  get hostInfo(): HostInfo {
    return this.#choice.group.hostInfo;
  }

  get embeddingBatchSize(): number | undefined {
    return this.#choice.group.embeddingBatchSize;
  }

  get isKeptAlive(): boolean {
    return this.#choice.group.isKeptAlive;
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    return this.#slot.open(
      { ticket: this.#ticket, request },
      {
        onHead: (head) => {
          this.#meet(head.worker);
          sink.onHead(head);
        },
        onData: (bytes) => sink.onData(bytes),
        onEnd: (end) => {
          this.#isLinkLost = end.kind === "lost" && end.worker === undefined;
          this.#meet(end.kind === "lost" || end.kind === "broken" ? end.worker : undefined);
          sink.onEnd(end);
        },
        onSettled: () => sink.onSettled(),
      },
    );
  }

  /** Excludes the worker, if the peer has said which one it was. A broken link says nothing about the workers behind it. */
  exclude(from: Excluded): Excluded {
    return this.#sessionId === "" ? from : withSession(from, this.#sessionId);
  }

  count(work: Work): void {
    this.#work = work;
    if (!this.#isLinkLost) this.#slot.count(work);
  }

  /** Does nothing: the peer also sees how the exchange ends, and judges its own worker. */
  judge(): void {}

  progress(output: number): void {
    this.#slot.progress(output);
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#slot.release();
    this.#owner.onReturned(this.#ticket, this.#work);
  }

  refuse(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#slot.refuse();
    // The job got no slot in the end, so a full queue may refuse it.
    this.#ticket.wasAccepted = this.#wasAccepted;
    this.#owner.onReturned(this.#ticket, undefined);
  }

  /** Notes which worker the peer has chosen. */
  #meet(worker: ServingWorker | undefined): void {
    if (!worker) return;
    const { id, name, session } = worker;
    this.#worker = { id, name, server: this.#choice.server };
    this.#sessionId = session;
  }
}

function reasonOf({ demand }: Ticket): Route["reason"] {
  if (demand.workerId !== undefined) return demand.workerReason ?? "named";
  return demand.excluded === NONE_EXCLUDED ? "peer" : "retry";
}
