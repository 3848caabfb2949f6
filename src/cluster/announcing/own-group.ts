import type { Seat, SeatModel } from "../../pool/seat.ts";
import type { Offer } from "../../tunnel/session.ts";
import type { HostInfo } from "../../wire/worker-messages.ts";
import { type GroupRow, KEPT_ALIVE, LOADED, type LoadRow } from "../gossip/rows.ts";

/** The facts about a worker's host that decide how a request to it is written. */
const HOST_FACTS = ["backend_family", "backend_version"] as const;

/** The figures of one worker in a group. */
interface Member {
  readonly slots: number;
  readonly free: number;
  readonly isHealthy: boolean;
  readonly isLoaded: boolean;
  readonly isKeptAlive: boolean;
  /** The largest batch of embeddings; 0 if the worker has not said. */
  readonly batch: number;
}

/**
 * Returns the key of the group to which a model on a seat belongs: everything that decides how a request is written, the
 * kinds of exchange that the worker takes, and the tenants that it serves.
 */
export function groupKeyOf({ seat, model }: SeatModel): string {
  const { worker, offer } = seat.session;
  const host = HOST_FACTS.map((fact) => worker.hostInfo[fact] ?? "");
  return JSON.stringify([
    model,
    seat.sentAs(model),
    offer.exchangeKinds?.toSorted() ?? null,
    tenantsOf(offer) ?? null,
    ...host,
  ]);
}

function tenantsOf({ tenants }: Offer): string[] | undefined {
  return tenants && [...tenants].sort();
}

/** Workers of this server for which a request is written in the same way, and their load as sums. */
export class OwnGroup {
  readonly key: string;
  readonly row: GroupRow;
  /** Whether other servers know the group. */
  isTold = false;
  /** The load that was announced last, and when (`Clock.elapsed`). */
  told: LoadRow | undefined;
  toldAt = Number.NEGATIVE_INFINITY;
  readonly #members = new Map<Seat, Member>();
  readonly #sums = { slots: 0, free: 0, healthy: 0, healthyFree: 0, loaded: 0, keptAlive: 0 };
  /** How many members take each size of batch. */
  readonly #batches = new Map<number, number>();

  constructor(number: number, plugin: string, served: SeatModel) {
    const { seat, model } = served;
    const { worker, offer } = seat.session;
    const sentAs = seat.sentAs(model);
    const hostInfo: Record<string, string> = {};
    for (const fact of HOST_FACTS) {
      const said = worker.hostInfo[fact];
      if (said !== undefined) hostInfo[fact] = said;
    }
    this.key = groupKeyOf(served);
    this.row = {
      number,
      plugin,
      model,
      sentAs: sentAs === model ? undefined : sentAs,
      kinds: offer.exchangeKinds && [...offer.exchangeKinds],
      hostInfo: hostInfo satisfies HostInfo,
      ...(offer.tenants && { tenants: tenantsOf(offer) }),
    };
  }

  get size(): number {
    return this.#members.size;
  }

  seats(): Iterable<Seat> {
    return this.#members.keys();
  }

  /** Takes in the present figures of a worker, which becomes a member if it is not one yet. */
  update({ seat, isOut, isSuspended, isLoaded }: SeatModel): void {
    this.#leave(seat);
    const member: Member = {
      slots: seat.capacity,
      free: seat.hasRoom ? seat.capacity - seat.busy : 0,
      isHealthy: seat.capacity > 0 && !isOut && !isSuspended,
      isLoaded,
      isKeptAlive: seat.session.dialect === "legacy",
      batch: seat.session.offer.embeddingBatchSize ?? 0,
    };
    this.#members.set(seat, member);
    this.#sum(member, 1);
  }

  remove(seat: Seat): void {
    this.#leave(seat);
    this.#members.delete(seat);
  }

  /** Returns the present load. Jobs that wait are those of the model. */
  loadRow({ waiting, oldestMs }: { readonly waiting: number; readonly oldestMs: number }): LoadRow {
    const { slots, free, healthy, healthyFree, loaded, keptAlive } = this.#sums;
    const flags = (loaded > 0 ? LOADED : 0) + (keptAlive === this.size ? KEPT_ALIVE : 0);
    // If all workers are out, none is better than another, and they stay in use.
    const usable = healthy > 0 ? healthyFree : free;
    return [this.row.number, this.size, slots, usable, waiting, oldestMs, Math.min(...this.#batches.keys()), flags];
  }

  #leave(seat: Seat): void {
    const member = this.#members.get(seat);
    if (member) this.#sum(member, -1);
  }

  #sum({ slots, free, isHealthy, isLoaded, isKeptAlive, batch }: Member, sign: 1 | -1): void {
    const sums = this.#sums;
    sums.slots += sign * slots;
    sums.free += sign * free;
    if (isHealthy) {
      sums.healthy += sign;
      sums.healthyFree += sign * free;
    }
    if (isLoaded) sums.loaded += sign;
    if (isKeptAlive) sums.keptAlive += sign;
    const count = (this.#batches.get(batch) ?? 0) + sign;
    if (count === 0) this.#batches.delete(batch);
    else this.#batches.set(batch, count);
  }
}
