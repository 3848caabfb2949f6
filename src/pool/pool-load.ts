import type { Directory } from "./directory.ts";
import type { Queue } from "./queue.ts";
import type { Seat } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

/** The load of a pool, as it is announced to other servers. */
export class PoolLoad {
  readonly #directory: Directory;
  readonly #queue: Queue;

  constructor(directory: Directory, queue: Queue) {
    this.#directory = directory;
    this.#queue = queue;
  }

  /**
   * Calls `onSeat` after each change of a seat: of its offer, its held slots or its health, and when it comes or goes. It is
   * called for every job, so it MUST be quick. There is one such listener at a time.
   */
  watch(onSeat: (seat: Seat) => void): void {
    this.#directory.onSeat = onSeat;
  }

  seats(): Iterable<Seat> {
    return this.#directory.seats();
  }

  /** Whether the seat is still in the pool. It leaves when its session ends. */
  has(seat: Seat): boolean {
    return this.#directory.seatFor(seat.session) === seat;
  }

  /** Lists the tickets that wait now. */
  waiting(): readonly Ticket[] {
    return this.#queue.tickets();
  }

  /** The time, in milliseconds since 1970, at which a model was first seen here; undefined for one that is not known. */
  firstSeenAt(model: string): number | undefined {
    return this.#directory.firstSeenAt(model);
  }
}
