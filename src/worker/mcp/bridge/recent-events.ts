import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface Stored {
  readonly id: string;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly chars: number;
}

/** The most events, and characters, that a session keeps for a client whose stream broke. The oldest are dropped first. */
const MAX_EVENTS = 1000;
const MAX_CHARS = 4 * 1024 * 1024;

/** The most characters that all sessions of one MCP server may keep together. */
const MAX_SHARED_CHARS = 128 * 1024 * 1024;

/** The space for kept events that the sessions of one MCP server share. */
export class ReplayRoom {
  #chars = 0;

  get isFull(): boolean {
    return this.#chars > MAX_SHARED_CHARS;
  }

  take(chars: number): void {
    this.#chars += chars;
  }

  giveBack(chars: number): void {
    this.#chars -= chars;
  }
}

/** The last events of one session's streams, to be replayed to a client that missed them. */
export class RecentEvents implements EventStore {
  readonly #room: ReplayRoom;
  #events: Stored[] = [];
  #chars = 0;
  #count = 0;
  #isForgotten = false;
  readonly #retiring = new WeakSet<JSONRPCMessage>();

  constructor(room: ReplayRoom) {
    this.#room = room;
  }

  /** Drops everything and keeps nothing from now on, because the session is over. */
  forget(): void {
    this.#isForgotten = true;
    while (this.#events.length > 0) this.#drop();
  }

  /** Announces a message that no client will ask for: once it comes, its stream is over, and nothing of that is kept. */
  retire(message: JSONRPCMessage): void {
    this.#retiring.add(message);
  }

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#count += 1;
    const id = String(this.#count);
    if (this.#isForgotten) return id;
    if (this.#retiring.delete(message)) {
      this.#dropStream(streamId);
      return id;
    }
    const chars = JSON.stringify(message).length;
    this.#events.push({ id, streamId, message, chars });
    this.#chars += chars;
    this.#room.take(chars);
    while (this.#events.length > 1 && (this.#events.length > MAX_EVENTS || this.#chars > MAX_CHARS)) this.#drop();
    // Other sessions' events are not dropped; this session's own are, to the last one if need be, until there is space.
    while (this.#events.length > 0 && this.#room.isFull) this.#drop();
    return id;
  }

  #drop(): void {
    this.#giveBack(this.#events.shift()?.chars ?? 0);
  }

  #dropStream(streamId: string): void {
    this.#events = this.#events.filter((event) => {
      if (event.streamId !== streamId) return true;
      this.#giveBack(event.chars);
      return false;
    });
  }

  #giveBack(chars: number): void {
    this.#chars -= chars;
    this.#room.giveBack(chars);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#events.find(({ id }) => id === eventId)?.streamId;
  }

  /** Replays the events after that one on its stream, in order. Rejects for an event that is not kept any more. */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = this.#events.findIndex(({ id }) => id === lastEventId);
    const last = this.#events[at];
    if (!last) throw new Error("the event is not kept any more");
    for (const { id, streamId, message } of this.#events.slice(at + 1)) {
      if (streamId === last.streamId) await send(id, message);
    }
    return last.streamId;
  }
}
