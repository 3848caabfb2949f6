import { Fault } from "../../errors.ts";
import type { Members } from "../../plugin/cluster.ts";
import type { CancelTimer, Clock, Ids } from "../../system/deps.ts";
import { channelPrefix } from "../../system/server-id.ts";
import { factsOf, type LocalEnd, type Role } from "./ends.ts";
import { type Questions, silentFault } from "./questions.ts";

export interface FarEndsOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly members: Members;
  readonly questions: Questions;
}

/** A client of this server that waits for a side at another server. */
export interface Waiting {
  readonly id: string;
  readonly role: Role;
  readonly end: LocalEnd;
}

interface Entry extends Waiting {
  /** The server of the channel; undefined before one is asked. */
  owner: string | undefined;
  /** Whether the owner has found the other side. The owner is not needed after that. */
  isMet: boolean;
  stopTimer: CancelTimer;
}

/** How long after a channel's expiry this server waits for the channel's owner, which normally ends the wait. */
const SLACK_MS = 5000;
/** How long a side waits for the bytes once both sides are there. The writer's server sends at once. */
const BEGIN_MS = 10_000;

/**
 * The clients of this server whose channels, or other sides, are on other servers. Those servers know each client by a
 * ticket.
 */
export class FarEnds {
  readonly #options: FarEndsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: FarEndsOptions) {
    this.#options = options;
    options.members.onGone((server) => {
      for (const [ticket, { owner, isMet }] of [...this.#entries])
        if (owner === server && !isMet) this.refuse(ticket, new Fault("transfer_not_found"));
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Returns the servers that may have created a channel. It is nearly always one, because the ids of servers have different
   * digests.
   */
  ownersOf(id: string): readonly string[] {
    return this.#options.members.ids().filter((server) => id.startsWith(channelPrefix(server)));
  }

  /**
   * Asks the possible owners of a channel for a side's place, one after the other. The side is refused if none of them has
   * the channel.
   */
  join(waiting: Waiting, owners: readonly string[]): void {
    const ticket = this.#add(waiting);
    void this.#join(ticket, owners);
  }

  /** Lets the reader of a channel of this server wait for the bytes of a writer at another server. Returns its ticket. */
  expect(waiting: Waiting): string {
    const ticket = this.#add(waiting);
    this.meet(ticket);
    return ticket;
  }

  /** Throws the `Fault` that a reader would get. */
  async look(id: string, owners: readonly string[]): Promise<void> {
    let fault: Fault | undefined = new Fault("transfer_not_found");
    for (const owner of owners) {
      fault = await this.#options.questions.look(owner, id);
      if (fault?.code !== "transfer_not_found") break;
    }
    if (fault) throw fault;
  }

  /** Returns whether a side still waits, and keeps it for the bytes that are about to come. */
  meet(ticket: string): boolean {
    const entry = this.#entries.get(ticket);
    if (!entry) return false;
    entry.isMet = true;
    entry.stopTimer();
    entry.stopTimer = this.#options.clock.after(BEGIN_MS, () => this.refuse(ticket, new Fault("transfer_broken")));
    return true;
  }

  /** Lets a side wait for its other side, which may come within `ms`. */
  wait(ticket: string, ms: number): void {
    const entry = this.#entries.get(ticket);
    if (!entry) return;
    entry.isMet = false;
    entry.stopTimer();
    const expire = (): void => this.refuse(ticket, new Fault("transfer_expired"));
    entry.stopTimer = this.#options.clock.after(ms + SLACK_MS, expire);
  }

  /** Returns the side of a ticket and its role. */
  find(ticket: string): Waiting | undefined {
    return this.#entries.get(ticket);
  }

  /** Removes and returns a side whose transfer begins; undefined if it has left. */
  take(ticket: string): Waiting | undefined {
    const entry = this.#entries.get(ticket);
    if (!entry) return undefined;
    entry.stopTimer();
    this.#entries.delete(ticket);
    return entry;
  }

  /** Forgets a side that has left, and tells the owner of its channel. */
  leave(end: LocalEnd): void {
    for (const [ticket, entry] of this.#entries) if (entry.end === end) this.#forget(ticket, entry);
  }

  refuse(ticket: string, fault: Fault): void {
    this.take(ticket)?.end.refuse(fault);
  }

  /** Refuses all sides that wait, because this server shuts down. */
  refuseAll(fault: () => Fault): void {
    for (const [ticket, entry] of [...this.#entries]) {
      this.#forget(ticket, entry);
      entry.end.refuse(fault());
    }
  }

  #add(waiting: Waiting): string {
    const ticket = this.#options.ids.secret();
    this.#entries.set(ticket, { ...waiting, owner: undefined, isMet: false, stopTimer: () => {} });
    return ticket;
  }

  #forget(ticket: string, { id, owner }: Entry): void {
    this.take(ticket);
    if (owner !== undefined) this.#options.questions.leave(owner, id, ticket);
  }

  async #join(ticket: string, owners: readonly string[]): Promise<void> {
    const { questions } = this.#options;
    let fault = new Fault("transfer_not_found");
    for (const owner of owners) {
      const entry = this.#entries.get(ticket);
      if (!entry) return;
      entry.owner = owner;
      const { id, role, end } = entry;
      const joined = await questions.join(owner, { id, role, ticket, facts: factsOf(end) });
      const isThere = this.#entries.has(ticket);
      if (joined.kind === "absent") continue;
      if (joined.kind === "waits") {
        // The side left before the owner had given it a place, so the owner has to be told again.
        if (!isThere) return end.hasLeft ? questions.leave(owner, id, ticket) : undefined;
        if (!entry.isMet) this.wait(ticket, joined.expiresInMs);
        return;
      }
      if (joined.kind === "silent") questions.leave(owner, id, ticket);
      fault = joined.kind === "silent" ? silentFault(owner) : joined.fault;
      break;
    }
    this.refuse(ticket, fault);
  }
}
