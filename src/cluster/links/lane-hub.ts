import { randomBytes } from "node:crypto";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Bus, Unsubscribe } from "../bus.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { Lane } from "./lane.ts";
import { decodePacket, encodePacket, type Packet, parseOpening } from "./lane-packet.ts";
import type { ServerRun } from "./link-auth.ts";
import { SERVER_STOPS } from "./peer-link.ts";

export interface LaneHubOptions {
  readonly self: ServerRun;
  readonly bus: Bus;
  /** Returns the subject of a server's lanes. */
  readonly subject: (serverId: string) => string;
  readonly clock: Clock;
}

/** Takes an established lane. Returns the receiver of its events; undefined to refuse the lane. */
type TakeLane = (channel: Channel) => ChannelEvents | undefined;

/** A lane that was requested and is not accepted yet. */
interface Opening {
  readonly to: string;
  readonly take: TakeLane;
  readonly stop: CancelTimer;
}

/** How often an opening is repeated, and how many times in all. */
const OPEN_MS = 300;
const MAX_OPENINGS = 10;
/** The most lanes at once: one for each peer of the largest cluster, and some that are being replaced. */
const MAX_LANES = 256;

/** Opens lanes to peers, accepts theirs, and hands each packet to its lane. */
export class LaneHub {
  readonly #options: LaneHubOptions;
  readonly #lanes = new Map<bigint, Lane>();
  readonly #openings = new Map<bigint, Opening>();
  readonly #unsubscribe: readonly Unsubscribe[];
  #onOpened: ((from: ServerRun, channel: Channel) => ChannelEvents | undefined) | undefined;

  constructor(options: LaneHubOptions) {
    this.#options = options;
    const { bus, subject, self } = options;
    this.#unsubscribe = [
      bus.subscribe(subject(self.id), ({ bytes }) => this.#take(bytes)),
      bus.onState(({ kind }) => {
        if (kind === "up") for (const lane of [...this.#lanes.values()]) lane.wake();
      }),
    ];
  }

  /** Sets the function that takes the lanes that peers open. */
  onOpened(listener: (from: ServerRun, channel: Channel) => ChannelEvents | undefined): void {
    this.#onOpened = listener;
  }

  /**
   * Asks a peer for a lane. `take` is called if the peer accepts. Does nothing while an earlier request to the peer is
   * pending.
   */
  open(to: ServerRun, take: TakeLane): void {
    for (const opening of this.#openings.values()) if (opening.to === to.id) return;
    const { self, clock } = this.#options;
    const id = randomBytes(8).readBigUInt64BE();
    const { id: from, epoch } = self;
    const packet = encodePacket(
      id,
      { kind: "open", number: 0 },
      Buffer.from(JSON.stringify({ from: { id: from, epoch }, to })),
    );
    let times = 0;
    const ask = (): void => {
      times += 1;
      if (times > MAX_OPENINGS) this.#endOpening(id);
      else this.#publish(to.id, packet);
    };
    const stop = clock.every(OPEN_MS, ask);
    this.#openings.set(id, { to: to.id, take, stop });
    ask();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const id of [...this.#openings.keys()]) this.#endOpening(id);
    for (const lane of [...this.#lanes.values()]) lane.close(SERVER_STOPS);
  }

  #take(bytes: Uint8Array): void {
    const packet = decodePacket(bytes);
    if (!packet) return;
    if (packet.kind === "open") return this.#answer(packet);
    // The peer's first packet may overtake its acceptance.
    const opening = this.#openings.get(packet.lane);
    if (opening && packet.kind !== "close") {
      this.#endOpening(packet.lane);
      this.#create(packet.lane, opening.to, opening.take);
    }
    this.#lanes.get(packet.lane)?.take(packet);
  }

  #answer({ lane, payload }: Packet): void {
    const { self } = this.#options;
    const opening = parseOpening(payload);
    if (!opening || opening.to.id !== self.id || opening.to.epoch !== self.epoch || opening.from.id === self.id) return;
    const { from } = opening;
    const isKnown = this.#lanes.has(lane);
    if (isKnown || this.#create(lane, from.id, (channel) => this.#onOpened?.(from, channel)))
      this.#publish(from.id, encodePacket(lane, { kind: "accept", number: 0 }));
  }

  /** Creates a lane. Returns false if nobody takes it. */
  #create(id: bigint, peerId: string, take: TakeLane): boolean {
    if (this.#lanes.size >= MAX_LANES) return false;
    const lane = new Lane({
      id,
      clock: this.#options.clock,
      publish: (packet) => this.#publish(peerId, packet),
      onEnd: () => this.#lanes.delete(id),
    });
    this.#lanes.set(id, lane);
    // `take` may send at once, and the answer must find the lane.
    const events = take(lane);
    if (events) lane.start(events);
    else lane.close("refused");
    return events !== undefined;
  }

  #publish(peerId: string, packet: Uint8Array): boolean {
    return this.#options.bus.publish(this.#options.subject(peerId), packet) === "sent";
  }

  #endOpening(id: bigint): void {
    this.#openings.get(id)?.stop();
    this.#openings.delete(id);
  }
}
