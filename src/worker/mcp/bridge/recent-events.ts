import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface Stored {
  readonly id: string;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly chars: number;
}

/** Events that a session keeps for a client whose stream broke; the oldest are forgotten first. */
const MAX_EVENTS = 1000;
const MAX_CHARS = 4 * 1024 * 1024;

/** Characters that all sessions of one MCP server may keep together. */
const MAX_SHARED_CHARS = 128 * 1024 * 1024;

/** The room that the sessions of one MCP server share for what they keep. */
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

/** The last events of one session's streams, to be sent again to a client that missed them. */
export class RecentEvents implements EventStore {
  readonly #room: ReplayRoom;
  #events: Stored[] = [];
  #chars = 0;
  #count = 0;
  #isForgotten = false;

  constructor(room: ReplayRoom) {
    this.#room = room;
  }

  /** Keeps nothing from now on: the session is over. */
  forget(): void {
    this.#isForgotten = true;
    while (this.#events.length > 0) this.#drop();
  }

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#count += 1;
    const id = String(this.#count);
    if (this.#isForgotten) return id;
    const chars = JSON.stringify(message).length;
    this.#events.push({ id, streamId, message, chars });
    this.#chars += chars;
    this.#room.take(chars);
    while (this.#events.length > 1 && (this.#events.length > MAX_EVENTS || this.#chars > MAX_CHARS)) this.#drop();
    // What others keep is not this session's to drop; its own goes, to the last, until there is room for it.
    while (this.#events.length > 0 && this.#room.isFull) this.#drop();
    return id;
  }

  #drop(): void {
    const chars = this.#events.shift()?.chars ?? 0;
    this.#chars -= chars;
    this.#room.giveBack(chars);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#events.find(({ id }) => id === eventId)?.streamId;
  }

  /** Sends what came after that event on its stream, in order. Rejects for an event that is not known any more. */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = this.#events.findIndex(({ id }) => id === lastEventId);
    const last = this.#events[at];
    if (!last) throw new Error("the event is not known any more");
    for (const { id, streamId, message } of this.#events.slice(at + 1)) {
      if (streamId === last.streamId) await send(id, message);
    }
    return last.streamId;
  }
}
