import type { CancelTimer } from "../system/deps.ts";

/** A place in the queue. `number` is the order of arrival: the lowest that a free slot can serve comes first. */
export interface Ticket<D, C> {
  readonly number: number;
  readonly demand: D;
  /** Called at most once, with a claim that is now the ticket holder's to release. */
  readonly grant: (claim: C) => void;
  /** The deadline has passed. */
  readonly expire: () => void;
  /** Waiting has become pointless. */
  readonly refuse: () => void;
}

interface Place<D, C> {
  readonly ticket: Ticket<D, C>;
  readonly lane: string;
  readonly cancelTimer: CancelTimer;
}

/**
 * Bounded waiting, first come first served per lane (a lane is what a demand waits for: a model, or one worker).
 * It only keeps order and deadlines; who may be served is the pool's to say.
 */
export class Queue<D, C> {
  readonly #capacity: number;
  readonly #startTimer: (expire: () => void) => CancelTimer;
  readonly #lanes = new Map<string, Place<D, C>[]>();
  #length = 0;

  constructor(capacity: number, startTimer: (expire: () => void) => CancelTimer) {
    this.#capacity = capacity;
    this.#startTimer = startTimer;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length >= this.#capacity;
  }

  /** Lines up by number, so that a job which lost its worker has its old place again. Returns how to leave. */
  join(lane: string, ticket: Ticket<D, C>): () => void {
    const place: Place<D, C> = {
      ticket,
      lane,
      cancelTimer: this.#startTimer(() => {
        if (this.#remove(place)) ticket.expire();
      }),
    };
    const places = this.#lanes.get(lane);
    if (!places) this.#lanes.set(lane, [place]);
    else {
      // Nearly always the end; a re-dispatched job walks to its old place.
      let at = places.length;
      while (at > 0 && (places[at - 1]?.ticket.number ?? 0) > ticket.number) at -= 1;
      places.splice(at, 0, place);
    }
    this.#length += 1;
    return () => {
      this.#remove(place);
    };
  }

  /** The first ticket of a lane that `fits`. */
  first(lane: string, fits: (demand: D) => boolean): Ticket<D, C> | undefined {
    return this.#lanes.get(lane)?.find((place) => fits(place.ticket.demand))?.ticket;
  }

  /** Takes a ticket out because it is served. */
  take(lane: string, ticket: Ticket<D, C>): void {
    const place = this.#lanes.get(lane)?.find((candidate) => candidate.ticket === ticket);
    if (place) this.#remove(place);
  }

  /** How many are in front of this ticket in its lane, plus one; 0 when it is not there. */
  position(lane: string, ticket: Ticket<D, C>): number {
    return (this.#lanes.get(lane)?.findIndex((place) => place.ticket === ticket) ?? -1) + 1;
  }

  /** Takes everybody out, in order of arrival. */
  clear(): readonly Ticket<D, C>[] {
    const places = [...this.#lanes.values()].flat();
    for (const place of places) this.#remove(place);
    return places.map((place) => place.ticket).sort((a, b) => a.number - b.number);
  }

  #remove(place: Place<D, C>): boolean {
    const places = this.#lanes.get(place.lane);
    const at = places?.indexOf(place) ?? -1;
    if (!places || at < 0) return false;
    places.splice(at, 1);
    if (places.length === 0) this.#lanes.delete(place.lane);
    this.#length -= 1;
    place.cancelTimer();
    return true;
  }
}
