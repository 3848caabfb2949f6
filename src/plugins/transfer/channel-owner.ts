import { Fault } from "../../errors.ts";
import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { Joined } from "./channel.ts";
import type { Channels } from "./channels.ts";
import { type End, factsOf, type LocalEnd, type RemoteEnd } from "./ends.ts";
import type { FarEnds } from "./far-ends.ts";
import type { Joining, Passed, Questions } from "./questions.ts";

/** A transfer that begins: its writer is a client of this server, its reader one of another. */
export interface Sending {
  readonly id: string;
  readonly writer: LocalEnd;
  readonly reader: { readonly server: string; readonly ticket: string; readonly facts: ReturnType<typeof factsOf> };
}

export interface ChannelOwnerOptions {
  readonly cluster: Pick<ClusterPorts, "serverId" | "members">;
  readonly channels: Channels<End, End>;
  readonly farEnds: FarEnds;
  readonly questions: Questions;
  /** Sends to a reader of another server. Returns false if that server cannot be reached. */
  readonly send: (sending: Sending) => boolean;
}

/**
 * The channels of this server for clients of other servers: it gives these clients their places, and brings the two sides
 * together. The bytes then pass from the writer's server to the reader's, which need not be this one.
 */
export class ChannelOwner {
  readonly #options: ChannelOwnerOptions;
  /** By server and ticket. */
  readonly #remote = new Map<string, { readonly id: string; readonly end: RemoteEnd }>();

  constructor(options: ChannelOwnerOptions) {
    this.#options = options;
    options.cluster.members.onGone((server) => {
      for (const { id, end } of [...this.#remote.values()]) if (end.server === server) this.#drop(id, end);
    });
  }

  /** Gives a client of another server its place. Returns how long the channel waits for the other side. Throws a `Fault`. */
  join(server: string, { id, role, ticket, facts }: Joining): number {
    const { channels, questions } = this.#options;
    const key = keyOf(server, ticket);
    const end: RemoteEnd = {
      kind: "remote",
      server,
      ticket,
      facts,
      refuse: (reason) => {
        this.#remote.delete(key);
        questions.refuse(server, ticket, reason instanceof Fault ? reason.code : "transfer_broken");
      },
    };
    const expiresInMs = channels.expiresInMs(id);
    this.#remote.set(key, { id, end });
    try {
      if (role === "reader") channels.read(id, end);
      else channels.write(id, end);
    } catch (error) {
      this.#remote.delete(key);
      throw error;
    }
    return expiresInMs;
  }

  leave(server: string, id: string, ticket: string): void {
    const known = this.#remote.get(keyOf(server, ticket));
    if (known?.id === id) this.#drop(id, known.end);
  }

  /**
   * Brings the sides of a channel together, at least one of which is at another server. A side that turns out to have left
   * gives its place back, and the other one keeps waiting.
   */
  async introduce(id: string, joined: Joined<End, End>): Promise<void> {
    const { channels } = this.#options;
    const { reader, writer } = joined;
    const passed = await this.#introduce(id, reader, writer);
    switch (passed) {
      case "passing":
        for (const end of [reader, writer]) this.#forget(end);
        return channels.finish(id);
      case "reader_gone":
        this.#forget(reader);
        return channels.undo(id, reader);
      case "writer_gone":
        this.#forget(writer);
        channels.undo(id, writer);
        if (reader.kind === "remote")
          this.#options.questions.wait(reader.server, reader.ticket, channels.expiresInMs(id));
        return;
      case "failed":
        channels.finish(id);
        for (const end of [reader, writer]) {
          this.#forget(end);
          end.refuse(
            new Fault("transfer_broken", { message: "The servers of the two sides cannot reach each other." }),
          );
        }
        return;
      default:
        return passed satisfies never;
    }
  }

  async #introduce(id: string, reader: End, writer: End): Promise<Passed> {
    const { cluster, farEnds, questions, send } = this.#options;
    const facts = factsOf(reader);
    if (writer.kind === "remote") {
      const isSame = reader.kind === "remote" && reader.server === writer.server;
      // A server that has both sides checks them itself.
      if (reader.kind === "remote" && !isSame && !(await questions.meet(reader.server, reader.ticket)))
        return "reader_gone";
      const ticket = reader.kind === "remote" ? reader.ticket : farEnds.expect({ id, role: "reader", end: reader });
      const server = reader.kind === "remote" ? reader.server : cluster.serverId;
      const passed = await questions.pass(writer.server, { writer: writer.ticket, reader: { server, ticket, facts } });
      // The reader waits for another writer, unless the bytes have come although the answer was lost.
      if (reader.kind === "local" && passed !== "passing" && !farEnds.take(ticket)) return "passing";
      return reader.kind === "local" && reader.hasLeft ? "passing" : passed;
    }
    if (reader.kind !== "remote") throw new Error("both sides are here");
    if (!(await questions.meet(reader.server, reader.ticket))) return "reader_gone";
    if (writer.hasLeft) return "writer_gone";
    return send({ id, writer, reader: { server: reader.server, ticket: reader.ticket, facts } }) ? "passing" : "failed";
  }

  #drop(id: string, end: RemoteEnd): void {
    this.#forget(end);
    this.#options.channels.leave(id, end);
  }

  #forget(end: End): void {
    if (end.kind === "remote") this.#remote.delete(keyOf(end.server, end.ticket));
  }
}

function keyOf(server: string, ticket: string): string {
  return `${server} ${ticket}`;
}
