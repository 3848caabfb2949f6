import type { Pool } from "../../pool/pool.ts";
import type { PoolPeers } from "../../pool/pool-peers.ts";
import type { RemoteQueue, RemoteSlot } from "../../pool/remotes.ts";
import type { Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";
import { aheadSchema, noSchema, offerSchema, wantSchema } from "./messages.ts";
import { type OfferCounts, Offering, type TakenSlot } from "./offering.ts";
import type { Owner } from "./owners.ts";
import { type OfferedSlot, Wanting } from "./wanting.ts";

export interface OffersOptions {
  readonly clock: Clock;
  readonly tells: Tells;
  /** From 0 to 1, for the choice among peers that are alike. */
  readonly random: () => number;
}

/** One pool, as a part of the offers between servers. */
export interface OfferingPool {
  readonly pool: { readonly peers: Pick<PoolPeers, "waitForPeer" | "serveRemote"> };
  /** Lists the linked peers with workers that may serve a demand, busy or not. */
  readonly ownersOf: (demand: Parameters<Pool["hasOther"]>[0]) => Iterable<Owner>;
  /** Takes an offered slot, for one attempt of a job. */
  readonly hold: (slot: OfferedSlot) => RemoteSlot;
}

/** The offers between the pools of one name on all servers. */
export interface PoolOffers extends RemoteQueue {
  /** Notes that other peers than before may have workers for waiting jobs. */
  ownersChanged(): void;
  /** Returns a slot that was offered to this peer, for the job that comes for it; undefined if it is no longer held. */
  take(peer: string, slot: string): TakenSlot | undefined;
  /** Counts of the offers of this server, by outcome. */
  readonly outcomes: Readonly<OfferCounts>;
  /** The number of slots that are held for peers now. */
  readonly held: number;
}

/** Offers free slots between servers, so that a slot goes to the job that is next, wherever it waits. */
export class Offers {
  readonly #options: OffersOptions;
  readonly #pools = new Map<string, { readonly offering: Offering; readonly wanting: Wanting }>();

  constructor(options: OffersOptions) {
    this.#options = options;
    const { tells } = options;
    tells.on("want", wantSchema, (peer, want) => this.#pools.get(want.pool)?.offering.onWant(peer, want));
    tells.on("offer", offerSchema, (peer, offer) => {
      const pool = this.#pools.get(offer.pool);
      if (pool) pool.wanting.onOffer(peer, offer);
      else tells.to(peer, { type: "no", pool: offer.pool, slot: offer.slot });
    });
    tells.on("no", noSchema, (peer, { pool, slot }) => this.#pools.get(pool)?.offering.onNo(peer, slot));
    tells.on("ahead", aheadSchema, (peer, { pool, lines }) => this.#pools.get(pool)?.wanting.onAhead(peer, lines));
    tells.onJoined(() => {
      for (const { wanting } of this.#pools.values()) wanting.ownersChanged();
    });
    tells.onLost((peer) => {
      for (const { offering, wanting } of this.#pools.values()) {
        offering.onLost(peer);
        wanting.onLost(peer);
      }
    });
  }

  /** Lets a pool take part. `name` is that of the pool on every server. */
  join(name: string, { pool, ownersOf, hold }: OfferingPool): PoolOffers {
    const { clock, tells, random } = this.#options;
    const send: Tells["to"] = (peer, message) => tells.to(peer, message);
    const offering = new Offering({ name, pool, clock, send, rttMs: (peer) => tells.rttMs(peer) });
    const serve: PoolPeers["serveRemote"] = (choice) => pool.peers.serveRemote(choice);
    const wanting = new Wanting({ name, clock, send, ownersOf, serve, hold, random });
    this.#pools.set(name, { offering, wanting });
    return {
      want: (ticket) => wanting.want(ticket),
      unwant: (ticket) => wanting.unwant(ticket),
      ownersChanged: () => wanting.ownersChanged(),
      hasOffers: true,
      ahead: (ticket) => wanting.ahead(ticket),
      take: (peer, slot) => offering.take(peer, slot),
      outcomes: offering.outcomes,
      get held() {
        return offering.held;
      },
    };
  }

  close(): void {
    for (const { offering, wanting } of this.#pools.values()) {
      offering.close();
      wanting.close();
    }
  }
}
