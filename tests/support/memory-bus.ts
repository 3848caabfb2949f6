import {
  type Bus,
  type BusMessage,
  type BusState,
  MAX_MESSAGE_BYTES,
  type Published,
  type Reply,
  type Unsubscribe,
} from "../../src/cluster/bus.ts";
import type { Clock } from "../../src/system/deps.ts";

/** What the network between the servers does to messages. */
export interface Weather {
  /** Milliseconds until a message arrives: at least, and at most. 0 unless given. */
  delayMs?: readonly [number, number];
  /** The share of messages that are lost, from 0 to 1. Nobody is told. */
  loss?: number;
  /** The share of messages that arrive twice. NATS does not do this; what must bear it can be tested so. */
  repeats?: number;
  /** Whether a message may overtake one that was sent before it. NATS keeps the order of each sender. */
  shuffles?: boolean;
}

type Listener = (message: BusMessage) => void;

/**
 * A network of buses in one process. Messages arrive when the clock moves, even those without a delay. Its weather may be
 * changed at any time. All chances come from `random`, which returns numbers from 0 to 1.
 */
export class MemoryNetwork {
  readonly weather: Weather;
  /** The messages that were sent, each once however many servers hear it, and their bytes. */
  readonly sent = { messages: 0, bytes: 0 };
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #buses = new Map<string, MemoryBus>();
  #sides: readonly ReadonlySet<string>[] = [];

  constructor(clock: Clock, weather: Weather = {}, random: () => number = Math.random) {
    this.#clock = clock;
    this.weather = weather;
    this.#random = random;
  }

  /** Adds a bus, which is up. A later bus of one name takes the place of an earlier one, like a server that restarts. */
  join(name: string): MemoryBus {
    const bus = new MemoryBus(name, this, this.#clock);
    this.#buses.set(name, bus);
    return bus;
  }

  /**
   * Cuts the network into parts. Buses of different parts do not hear each other, and nobody notices: all of them stay up.
   * A name in no part is a part of its own.
   */
  partition(...sides: readonly (readonly string[])[]): void {
    this.#sides = sides.map((side) => new Set(side));
  }

  /** Joins all parts again. What was sent in between stays lost. */
  heal(): void {
    this.#sides = [];
  }

  /** Calls `deliver` for each bus that hears a message now, when the message has arrived there. */
  carry(
    from: MemoryBus,
    bytes: Uint8Array,
    isHeard: (bus: MemoryBus) => boolean,
    deliver: (bus: MemoryBus) => void,
  ): void {
    this.sent.messages += 1;
    this.sent.bytes += bytes.byteLength;
    for (const to of this.#buses.values()) {
      if (to === from || to.state.kind !== "up" || !this.#reaches(from.name, to.name) || !isHeard(to)) continue;
      const { loss = 0, repeats = 0 } = this.weather;
      if (loss > 0 && this.#random() < loss) continue;
      const times = repeats > 0 && this.#random() < repeats ? 2 : 1;
      for (let time = 0; time < times; time += 1)
        this.#clock.after(this.#delay(from, to), () => {
          if (to.state.kind === "up" && this.#reaches(from.name, to.name)) deliver(to);
        });
    }
  }

  /** Whether any bus that hears `from` now fulfils the condition. */
  isHeard(from: MemoryBus, condition: (bus: MemoryBus) => boolean): boolean {
    return [...this.#buses.values()].some(
      (to) => to !== from && to.state.kind === "up" && this.#reaches(from.name, to.name) && condition(to),
    );
  }

  #delay(from: MemoryBus, to: MemoryBus): number {
    const [least, most] = this.weather.delayMs ?? [0, 0];
    const delay = least === most ? least : least + this.#random() * (most - least);
    if (this.weather.shuffles) return delay;
    // Not before the last message on this way has arrived.
    const now = this.#clock.elapsed();
    const arrivesAt = Math.max(now + delay, from.lastArrivals.get(to) ?? 0);
    from.lastArrivals.set(to, arrivesAt);
    return arrivesAt - now;
  }

  #reaches(from: string, to: string): boolean {
    if (this.#sides.length === 0) return true;
    return this.#sides.some((side) => side.has(from) && side.has(to));
  }
}

/** One server's connection to a `MemoryNetwork`. */
export class MemoryBus implements Bus {
  readonly name: string;
  /** When the last message to each bus arrives, for the order of messages. */
  readonly lastArrivals = new Map<MemoryBus, number>();
  #state: BusState = { kind: "up" };
  readonly #network: MemoryNetwork;
  readonly #clock: Clock;
  readonly #onState = new Set<(state: BusState) => void>();
  readonly #subscriptions = new Map<string, Set<Listener>>();

  constructor(name: string, network: MemoryNetwork, clock: Clock) {
    this.name = name;
    this.#network = network;
    this.#clock = clock;
  }

  get state(): BusState {
    return this.#state;
  }

  onState(listener: (state: BusState) => void): Unsubscribe {
    this.#onState.add(listener);
    return () => this.#onState.delete(listener);
  }

  publish(subject: string, bytes: Uint8Array): Published {
    const refused = this.#refusal(bytes);
    if (refused) return refused;
    this.#network.carry(
      this,
      bytes,
      (to) => to.hears(subject),
      (to) => to.take({ subject, bytes, respond: () => "sent" }),
    );
    return "sent";
  }

  subscribe(subject: string, onMessage: Listener): Unsubscribe {
    const listeners = this.#subscriptions.get(subject) ?? new Set();
    this.#subscriptions.set(subject, listeners);
    // Each subscription is its own, even of one function.
    const listener: Listener = (message) => onMessage(message);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#subscriptions.get(subject) === listeners) this.#subscriptions.delete(subject);
    };
  }

  request(subject: string, bytes: Uint8Array, ms: number): Promise<Reply> {
    const refused = this.#refusal(bytes);
    if (refused) return Promise.resolve({ kind: refused });
    if (!this.#network.isHeard(this, (to) => to.hears(subject))) return Promise.resolve({ kind: "nobody" });
    return new Promise((resolve) => {
      const end = (reply: Reply): void => {
        cancelTimer();
        unsubscribe();
        resolve(reply);
      };
      const cancelTimer = this.#clock.after(ms, () => end({ kind: "late" }));
      const unsubscribe = this.onState(() => end({ kind: "down" }));
      this.#network.carry(
        this,
        bytes,
        (to) => to.hears(subject),
        (to) => to.take({ subject, bytes, respond: (answer) => to.#answer(this, answer, end) }),
      );
    });
  }

  /** Loses the connection, and knows it. */
  disconnect(reason = "connection refused"): void {
    this.#change({ kind: "down", reason });
  }

  reconnect(): void {
    this.#change({ kind: "up" });
  }

  close(): Promise<void> {
    this.#change({ kind: "closed" });
    return Promise.resolve();
  }

  hears(subject: string): boolean {
    return this.#subscriptions.has(subject);
  }

  take(message: BusMessage): void {
    for (const listener of [...(this.#subscriptions.get(message.subject) ?? [])]) listener(message);
  }

  #answer(asker: MemoryBus, answer: Uint8Array, end: (reply: Reply) => void): Published {
    const refused = this.#refusal(answer);
    if (refused) return refused;
    this.#network.carry(
      this,
      answer,
      (to) => to === asker,
      () => end({ kind: "reply", bytes: answer }),
    );
    return "sent";
  }

  #refusal(bytes: Uint8Array): "down" | "too_large" | undefined {
    if (bytes.byteLength > MAX_MESSAGE_BYTES) return "too_large";
    return this.#state.kind === "up" ? undefined : "down";
  }

  #change(state: BusState): void {
    if (this.#state.kind === "closed" || this.#state.kind === state.kind) return;
    this.#state = state;
    for (const listener of [...this.#onState]) listener(state);
  }
}
