import type { PeerRequest, RemoteSlot } from "../../pool/remotes.ts";
import type { Work } from "../../pool/seat.ts";
import type { Clock } from "../../system/deps.ts";
import type { Exchange, ExchangeSink } from "../../tunnel/exchange.ts";
import type { PeerGroup } from "./peer-group.ts";

/** A slot of a group, which the group counts as held until it is given back. */
export class GroupSlot implements RemoteSlot {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #group: PeerGroup;
  readonly #use: RemoteSlot;
  readonly #heldAt: number;

  /** Takes the slot. `use` sends the request of its job. */
  constructor(clock: Pick<Clock, "elapsed">, group: PeerGroup, use: RemoteSlot) {
    this.#clock = clock;
    this.#group = group;
    this.#use = use;
    this.#heldAt = clock.elapsed();
    group.hold(this.#heldAt);
  }

  open(request: PeerRequest, sink: ExchangeSink): Exchange {
    return this.#use.open(request, sink);
  }

  progress(output: number): void {
    this.#use.progress(output);
  }

  count(work: Work): void {
    this.#use.count(work);
  }

  release(): void {
    this.#group.release(this.#heldAt);
    this.#use.release();
  }

  refuse(): void {
    this.#group.refuse(this.#heldAt, this.#clock.elapsed());
    this.#use.refuse();
  }
}
