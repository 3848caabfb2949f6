import type { Channel, ChannelEvents } from "../../src/cluster/links/channel.ts";
import type { LaneHub } from "../../src/cluster/links/lane-hub.ts";
import type { LinkContact } from "../../src/cluster/links/link-auth.ts";
import { Links } from "../../src/cluster/links/links.ts";
import type {
  Accept,
  CancelDial,
  Dialling,
  LinkListener,
  LinkTransport,
  ListenAddress,
} from "../../src/cluster/links/transport.ts";
import type { Log } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { FakeClock } from "./fake-clock.ts";

/** One end of a socket in memory. */
class MemoryEnd implements Channel {
  readonly kind = "direct";
  /** The messages that were sent from this end. */
  readonly sent: Uint8Array[] = [];
  readonly #pair: MemoryPair;
  events: ChannelEvents | undefined;
  other: MemoryEnd | undefined;

  constructor(pair: MemoryPair) {
    this.#pair = pair;
  }

  send(message: Uint8Array): "sent" | "lost" {
    if (this.#pair.isOver) return "lost";
    const copy = Uint8Array.from(message);
    this.sent.push(copy);
    queueMicrotask(() => {
      if (!this.#pair.isOver && !this.#pair.isSilent) this.other?.events?.onMessage(copy);
    });
    return "sent";
  }

  close(reason: string): void {
    if (this.#pair.isOver) return;
    // What was sent before arrives before.
    queueMicrotask(() => this.#pair.end(reason, this));
  }

  cut(): void {
    // A real socket tells the end that cuts it as well, and before the call returns.
    this.#pair.end("the connection broke");
  }
}

/** A socket in memory. */
export class MemoryPair {
  readonly dialler: MemoryEnd;
  readonly acceptor: MemoryEnd;
  readonly from: string;
  readonly to: string;
  isOver = false;
  /** Nothing arrives any more, and nobody notices. */
  isSilent = false;

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
    this.dialler = new MemoryEnd(this);
    this.acceptor = new MemoryEnd(this);
    this.dialler.other = this.acceptor;
    this.acceptor.other = this.dialler;
  }

  /** Ends both ends; the one that has ended it itself hears nothing. */
  end(reason: string, by?: MemoryEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const end of [this.dialler, this.acceptor]) if (end !== by) end.events?.onClosed(reason);
  }
}

/** A network of servers in one process, on a clock of the test. */
export class PeerNetwork {
  readonly clock: FakeClock;
  /** All sockets that were ever opened. */
  readonly pairs: MemoryPair[] = [];
  /** The dials that were made, as `from to`. */
  readonly dials: string[] = [];
  /** Whether one server reaches another one. */
  mayDial: (from: string, to: string) => boolean = () => true;
  readonly #listeners = new Map<string, Accept>();

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** The sockets that are open. */
  get open(): readonly MemoryPair[] {
    return this.pairs.filter(({ isOver }) => !isOver);
  }

  /** The way of one server into the network. */
  transport(self: string): LinkTransport {
    return {
      dial: (address, authorization, dialling) => this.#dial(self, address, authorization, dialling),
      listen: (_where: ListenAddress, accept: Accept): LinkListener => {
        this.#listeners.set(self, accept);
        return { port: 1, close: () => void this.#listeners.delete(self) };
      },
    };
  }

  /** Returns a server's links, which listen at the address `<id>`. */
  join(id: string, options: JoinOptions = {}): { readonly links: Links; readonly contact: LinkContact } {
    const { epoch = `epoch-of-${id}`, log = silentLog, windowBytes = 1000, lanes, random = () => 0.5 } = options;
    const links = new Links({
      self: { id, epoch },
      deps: { clock: this.clock, log, ids: systemIds },
      transport: this.transport(id),
      lanes,
      windowBytes,
      confirmTimeoutMs: 5000,
      random,
    });
    return { links, contact: links.listen({ host: id, port: 1 }, () => id) };
  }

  #dial(from: string, to: string, authorization: string, dialling: Dialling): CancelDial {
    this.dials.push(`${from} ${to}`);
    let isOver = false;
    queueMicrotask(() => {
      if (isOver) return;
      const accept = this.mayDial(from, to) ? this.#listeners.get(to) : undefined;
      if (!accept) return dialling.onFailed("nobody answers");
      const take = accept(authorization, from);
      if (!take) return dialling.onFailed("refused");
      const pair = new MemoryPair(from, to);
      this.pairs.push(pair);
      pair.dialler.events = dialling.onOpen(pair.dialler);
      pair.acceptor.events = take(pair.acceptor);
    });
    return () => {
      isOver = true;
    };
  }
}

export interface JoinOptions {
  readonly epoch?: string;
  readonly log?: Log;
  readonly windowBytes?: number;
  readonly lanes?: LaneHub;
  readonly random?: () => number;
}

/** Lets everything that is ready happen: messages arrive and answers are sent. */
export async function settleNetwork(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) {
    for (let step = 0; step < 10; step += 1) await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
