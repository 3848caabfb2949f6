import type { Clock } from "../system/deps.ts";
import type { HeldClaim } from "./claim.ts";
import type { Demand, Directory } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import type { Queue } from "./queue.ts";
import type { Candidate } from "./queue-policy.ts";
import type { Reach } from "./reach.ts";
import type { RemoteSlots } from "./remote-slots.ts";
import type { RemoteChoice, RemoteNeeds, Remotes } from "./remotes.ts";
import type { Slots } from "./slots.ts";
import type { JobTicket, Ticket } from "./ticket.ts";
import type { Tickets } from "./tickets.ts";
import type { Wait } from "./waits.ts";

export interface PoolPeersOptions {
  readonly clock: Pick<Clock, "elapsed">;
  readonly directory: Directory;
  readonly reach: Reach;
  readonly queue: Queue;
  readonly slots: Slots;
  readonly remoteSlots: RemoteSlots;
  readonly remotes: Remotes | undefined;
  readonly tickets: Tickets;
  /** Called when what peers offer has changed. */
  readonly onChange: () => void;
}

/** The needs of a job that any worker may serve. */
const ANY_WORKER: RemoteNeeds = { excluded: NONE_EXCLUDED };

/** What a pool exchanges with the pools of other servers: it gives slots to their jobs, and gets slots of theirs. */
export class PoolPeers {
  readonly #options: PoolPeersOptions;

  constructor(options: PoolPeersOptions) {
    this.#options = options;
  }

  /**
   * Lets a job that waits at a peer wait here as well, as if it had waited here for `waitedMs`. It leaves with a slot when
   * the queue policy prefers it to all others that wait for that slot. No job of a peer waits once `Pool.refuseWaiting` was
   * called.
   */
  waitForPeer(candidate: Candidate, peer: string, waitedMs: number, onGranted: (claim: HeldClaim) => void): Wait {
    const { clock, queue, slots, tickets } = this.#options;
    const arrivedAt = clock.elapsed() - waitedMs;
    const ticket = { ...tickets.issueForPeer(candidate, peer, arrivedAt), isStandIn: true };
    const wait = queue.waitForPeer({ ticket, onGranted });
    slots.wake(ticket);
    return wait;
  }

  /**
   * Returns a slot of a worker of this server for a job that a peer sends; undefined if none is free. The peer has resolved
   * the name of the model and charges the caller.
   */
  claimForPeer(candidate: Candidate, peer: string): HeldClaim | undefined {
    const { clock, directory, slots } = this.#options;
    const choice = directory.choose(candidate.demand);
    return choice && slots.hold(choice, this.ticketFor(candidate, peer), clock.elapsed());
  }

  /** Issues the ticket of a job that a peer sends now. */
  ticketFor(candidate: Candidate, peer: string): JobTicket {
    const { clock, tickets } = this.#options;
    return { ...tickets.issue(candidate, clock.elapsed(), true), peer };
  }

  /** Counts the free slots of the workers of this server that may get a demand. */
  freeFor(demand: Demand): number {
    const { busy, slots } = this.#options.directory.loadOf(demand);
    return slots - busy;
  }

  /** Lists the models that ready workers of any server may serve a demand with now, best first. */
  namesFor(demand: Demand): readonly string[] {
    return this.#options.reach.namesFor(demand);
  }

  /**
   * Gives a slot on a peer to a job that waits, as the queue policy orders them. Returns false if no job may have it, and
   * nothing is held then.
   */
  serveRemote(choice: RemoteChoice): boolean {
    return this.#options.remoteSlots.serve(choice);
  }

  /**
   * Serves waiting jobs after something has changed at peers: slots for these models are free there, or the models are no
   * longer served there, so that stand-ins of this server may serve the jobs.
   */
  onRemotesChange(models: Iterable<string>): void {
    const { queue, slots, remoteSlots, remotes, onChange } = this.#options;
    onChange();
    if (queue.size === 0) return;
    for (const model of models) {
      let choice = remotes?.queue.hasOffers ? undefined : remotes?.models.choose(model, ANY_WORKER);
      while (choice && remoteSlots.serve(choice)) choice = remotes?.models.choose(model, ANY_WORKER);
      slots.serveOthers([model]);
    }
    // A slot on any worker is of no use to a job that names its worker.
    for (const ticket of queue.tickets()) if (ticket.demand.workerId !== undefined) this.wake(ticket);
  }

  /** Gives free slots to waiting jobs, starting with the slots for which this job waits. */
  wake(ticket: Ticket): void {
    const { queue, reach, slots, remoteSlots, remotes } = this.#options;
    slots.wake(ticket);
    if (!remotes || ticket.peer !== undefined) return;
    while (queue.has(ticket)) {
      const choice = reach.choose(ticket.demand);
      if (!choice || "to" in choice || !remoteSlots.serve(choice)) return;
    }
  }
}
