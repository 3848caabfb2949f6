import type { Calls } from "../../plugin/cluster.ts";
import type { Clock } from "../../system/deps.ts";
import { FULL_QUESTION, type Full, readGossip } from "../gossip/gossip.ts";
import type { GossipLine } from "./gossip-line.ts";
import type { Peer } from "./peer.ts";

/** How long a peer has to answer with a part of its snapshot, and how long this server waits before it asks again. */
const ASK_MS = 2000;
const AGAIN_MS = 250;
/** The most parts of a snapshot. */
const MAX_PARTS = 1000;

export interface RepairsOptions {
  readonly serverId: string;
  readonly epoch: string;
  readonly clock: Clock;
  readonly calls: Calls;
  readonly line: GossipLine;
  /** Takes in a part of a snapshot that a peer has answered with. */
  readonly onPart: (part: Full) => void;
  /** Whether the copy of the peer is still needed. */
  readonly isPresent: (peer: Peer) => boolean;
}

/** Asks peers for snapshots while this server's copy is incomplete: after their start, and after a lost message. */
export class Repairs {
  readonly #options: RepairsOptions;
  #isClosed = false;

  constructor(options: RepairsOptions) {
    this.#options = options;
  }

  /** Asks a peer if anything is missing, unless it is being asked. */
  repair(peer: Peer): void {
    if (!peer.isBehind || peer.isAsked || this.#isClosed) return;
    peer.isAsked = true;
    void this.#ask(peer).then((isWhole) => {
      const again = (): void => {
        peer.isAsked = false;
        if (this.#options.isPresent(peer)) this.repair(peer);
      };
      if (isWhole) again();
      else this.#options.clock.after(AGAIN_MS, again);
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Returns whether the copy is complete now. */
  async #ask(peer: Peer): Promise<boolean> {
    const { calls, line, serverId, epoch, onPart } = this.#options;
    if (!line.isUp || !peer.greeting.hears) {
      line.tell(peer, { t: "need", from: serverId, epoch });
      return false;
    }
    let seq: number | undefined;
    for (let part = 0; part < MAX_PARTS; part += 1) {
      const result = await calls.ask(peer.id, FULL_QUESTION, { part, seq }, ASK_MS);
      const message = result.kind === "answer" ? readGossip(result.body) : undefined;
      if (message?.t !== "full" || message.from !== peer.id) return false;
      onPart(message);
      seq = message.seq;
      if (part + 1 >= message.parts) return !peer.isBehind;
    }
    return false;
  }
}
