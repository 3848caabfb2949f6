import { isRecord, parseJson } from "../json/parse.ts";
import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import { cleanText } from "../wire/clean-text.ts";
import type { Bus, BusMessage, BusState, Published, Reply, Unsubscribe } from "./bus.ts";

/**
 * How long another server with the same id has to answer, in milliseconds. A server that is frozen or cut off loses its id.
 */
const ANSWER_MS = 500;
/** Milliseconds until a server that has lost its id tries again. */
const RETRY_MS = 5000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface ClaimedBusOptions {
  readonly bus: Bus & { close(): Promise<void> };
  /** The subject on which servers with this id find each other. */
  readonly subject: string;
  /** Identifies this run of the server. The epoch of an earlier run MUST be less, compared as text. */
  readonly epoch: string;
  /** The name of this machine, shown to the operator of another server with the same id. */
  readonly host: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A server's claim to its id, as servers send it to each other. */
interface Claim {
  readonly epoch: string;
  /** Whether the server already has the id, because nobody objected to its claim. */
  readonly isMade: boolean;
  readonly host: string;
}

/**
 * A bus that only one server of an id can use at a time. It is up while the bus below is up and no other server uses the id.
 * Of two servers, the one that had the id first keeps it. While this bus is not up, it neither sends nor delivers anything.
 */
export class ClaimedBus implements Bus {
  readonly #options: ClaimedBusOptions;
  readonly #onState = new Set<(state: BusState) => void>();
  readonly #topics = new Set<{ readonly begin: () => Unsubscribe; end: Unsubscribe | undefined }>();
  readonly #leave: readonly Unsubscribe[];
  #state: BusState;
  #isMade = false;
  /** The machine of another server that has the id; undefined if there is none. */
  #holder: string | undefined;
  #isAsking = false;
  #concessions = 0;
  #cancelRetry: CancelTimer = () => {};

  constructor(options: ClaimedBusOptions) {
    this.#options = options;
    const { bus, subject } = options;
    this.#state = bus.state.kind === "up" ? { kind: "down", reason: "not joined yet" } : bus.state;
    this.#leave = [bus.subscribe(subject, (message) => this.#onClaim(message)), bus.onState(() => this.#onBus())];
    if (bus.state.kind === "up") this.#onBus();
  }

  get state(): BusState {
    const below = this.#options.bus.state;
    // The reason of the bus below changes with each attempt to connect.
    return this.#state.kind === "down" && below.kind === "down" ? below : this.#state;
  }

  /**
   * The machine of another server that has this server's id; undefined if there is none. Untrusted text, made safe to show.
   */
  get holder(): string | undefined {
    return this.#holder;
  }

  onState(listener: (state: BusState) => void): Unsubscribe {
    this.#onState.add(listener);
    return () => this.#onState.delete(listener);
  }

  publish(subject: string, bytes: Uint8Array): Published {
    return this.#state.kind === "up" ? this.#options.bus.publish(subject, bytes) : "down";
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): Unsubscribe {
    const { bus } = this.#options;
    const begin = (): Unsubscribe => bus.subscribe(subject, onMessage);
    const topic = { begin, end: this.#state.kind === "up" ? begin() : undefined };
    this.#topics.add(topic);
    return () => {
      this.#topics.delete(topic);
      topic.end?.();
      topic.end = undefined;
    };
  }

  request(subject: string, bytes: Uint8Array, ms: number): Promise<Reply> {
    return this.#state.kind === "up"
      ? this.#options.bus.request(subject, bytes, ms)
      : Promise.resolve({ kind: "down" });
  }

  /** Gives the id up and closes the bus below. */
  async close(): Promise<void> {
    this.#cancelRetry();
    for (const leave of this.#leave) leave();
    this.#change({ kind: "closed" });
    await this.#options.bus.close();
  }

  #onBus(): void {
    const { state } = this.#options.bus;
    if (state.kind === "up") {
      // A server that had its id before the connection broke uses it again at once, and gives it up only if another one
      // answers.
      if (this.#isMade) this.#change({ kind: "up" });
      void this.#claim();
    } else this.#change(state);
  }

  async #claim(): Promise<void> {
    const { bus, subject, log } = this.#options;
    if (this.#isAsking || this.#state.kind === "closed") return;
    this.#isAsking = true;
    this.#cancelRetry();
    const concessions = this.#concessions;
    const reply = await bus.request(subject, encodeClaim(this.#own()), ANSWER_MS);
    this.#isAsking = false;
    const other = reply.kind === "reply" ? parseClaim(reply.bytes) : undefined;
    if (other && loses(this.#own(), other)) return this.#concede(other);
    // Another claim may have arrived in the meantime, or the bus may have broken.
    if (this.#concessions !== concessions || bus.state.kind !== "up" || this.#isClosed()) return;
    this.#holder = undefined;
    if (!this.#isMade) log.info("cluster.joined");
    this.#isMade = true;
    this.#change({ kind: "up" });
  }

  #onClaim(message: BusMessage): void {
    const other = parseClaim(message.bytes);
    if (!other || this.#isClosed()) return;
    const own = this.#own();
    message.respond(encodeClaim(own));
    if (loses(own, other)) this.#concede(other);
  }

  #concede({ host }: Claim): void {
    const { clock, log } = this.#options;
    const isNews = this.#holder === undefined;
    this.#concessions += 1;
    this.#isMade = false;
    this.#holder = host;
    if (isNews) log.error("cluster.id_taken", { held_on: host, hint: "give each server a SERVER_ID of its own" });
    this.#change({ kind: "down", reason: `another server, on ${host}, has the same SERVER_ID` });
    this.#cancelRetry();
    this.#cancelRetry = clock.after(RETRY_MS, () => void this.#claim());
  }

  #own(): Claim {
    const { epoch, host } = this.#options;
    return { epoch, isMade: this.#isMade, host };
  }

  #isClosed(): boolean {
    return this.#state.kind === "closed";
  }

  #change(state: BusState): void {
    if (this.#isClosed()) return;
    const { kind } = this.#state;
    this.#state = state;
    for (const topic of this.#topics) {
      if (state.kind === "up") topic.end ??= topic.begin();
      else if (state.kind === "closed" || this.#holder !== undefined) {
        topic.end?.();
        topic.end = undefined;
      }
    }
    if (kind === state.kind) return;
    for (const listener of [...this.#onState]) listener(state);
  }
}

/** Whether the first of two claims to one id gives way. Both servers come to the same result. */
function loses(own: Claim, other: Claim): boolean {
  return own.isMade === other.isMade ? other.epoch < own.epoch : other.isMade;
}

const MAX_HOST_CHARS = 100;

function encodeClaim({ epoch, isMade, host }: Claim): Uint8Array {
  return encoder.encode(JSON.stringify({ epoch, made: isMade, host }));
}

function parseClaim(bytes: Uint8Array): Claim | undefined {
  const parsed = parseJson(decoder.decode(bytes));
  if (!isRecord(parsed)) return undefined;
  const { epoch, made, host } = parsed;
  if (typeof epoch !== "string" || typeof made !== "boolean" || typeof host !== "string") return undefined;
  return { epoch, isMade: made, host: cleanText(host).slice(0, MAX_HOST_CHARS) };
}
