import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";

/** Carries short texts to single peers, in the order in which they are sent, while there is a link. */
export interface TellLine {
  /** The ids of the peers to which there is a link now. */
  peers(): Iterable<string>;
  /** The round-trip time in milliseconds, as last measured; undefined without a link. */
  rttMs(peer: string): number | undefined;
  /** Sends a text. Returns false if it was not sent. Texts that are on their way when a link breaks are lost. */
  tell(peer: string, text: string): boolean;
  /** MUST call `listener` for each text that a peer has sent. There is one listener. */
  onTell(listener: (peer: string, text: string) => void): void;
  /** MUST call each listener when a link to a peer is established, before any text of that peer. */
  onJoined(listener: (peer: string) => void): void;
  /** MUST call each listener when the link to a peer has broken, after all texts of that peer. */
  onLost(listener: (peer: string) => void): void;
}

/** A message to a peer. Its other members depend on its type. */
export interface Tell extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

/** The largest text that is read. */
const MAX_TEXT_CHARS = 256 * 1024;

/** Takes messages of one type. */
interface Receiver {
  receive(peer: string, message: Record<string, unknown>): boolean;
}

/**
 * Small messages between servers over their links, as JSON objects with a `type`. A later version may send types and members
 * that are unknown here: they are ignored.
 */
export class Tells {
  /** Counts of messages that could not be read: malformed ones, and those of an unknown type. */
  readonly ignored = { malformed: 0, unknown: 0 };
  readonly #line: TellLine;
  readonly #receivers = new Map<string, Receiver>();

  constructor(line: TellLine) {
    this.#line = line;
    line.onTell((peer, text) => this.#onText(peer, text));
  }

  /** The ids of the peers to which there is a link. */
  peers(): Iterable<string> {
    return this.#line.peers();
  }

  /** The number of peers to which there is a link. */
  get peerCount(): number {
    let count = 0;
    for (const _ of this.#line.peers()) count += 1;
    return count;
  }

  /** Calls `listener` when a link to a peer is established, before any message of that peer. */
  onJoined(listener: (peer: string) => void): void {
    this.#line.onJoined(listener);
  }

  /** Calls `listener` when the link to a peer has broken, after all its messages. */
  onLost(listener: (peer: string) => void): void {
    this.#line.onLost(listener);
  }

  /** The round-trip time in milliseconds, as last measured; undefined without a link. */
  rttMs(peer: string): number | undefined {
    return this.#line.rttMs(peer);
  }

  /** Takes all messages of one type. There is one receiver for each type. */
  on<T>(type: string, schema: v.GenericSchema<unknown, T>, onMessage: (peer: string, message: T) => void): void {
    if (this.#receivers.has(type)) throw new Error(`two receivers for ${type}`);
    this.#receivers.set(type, {
      receive: (peer, message) => {
        const result = v.safeParse(schema, message);
        if (result.success) onMessage(peer, result.output);
        return result.success;
      },
    });
  }

  /** Sends a message to one peer. Returns false if it was not sent: without a link, or over one that is congested. */
  to(peer: string, message: Tell): boolean {
    return this.#line.tell(peer, JSON.stringify(message));
  }

  /** Sends a message to each peer to which there is a link. */
  toAll(message: Tell): void {
    let text: string | undefined;
    for (const peer of this.#line.peers()) {
      text ??= JSON.stringify(message);
      this.#line.tell(peer, text);
    }
  }

  #onText(peer: string, text: string): void {
    const message = text.length <= MAX_TEXT_CHARS ? parseJson(text) : undefined;
    const type = isRecord(message) ? message["type"] : undefined;
    if (!isRecord(message) || typeof type !== "string") {
      this.ignored.malformed += 1;
      return;
    }
    const receiver = this.#receivers.get(type);
    if (!receiver) this.ignored.unknown += 1;
    else if (!receiver.receive(peer, message)) this.ignored.malformed += 1;
  }
}
