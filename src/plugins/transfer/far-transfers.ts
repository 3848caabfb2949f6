import type { Fault } from "../../errors.ts";
import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { Deps } from "../../system/deps.ts";
import type { Joined } from "./channel.ts";
import { ChannelOwner } from "./channel-owner.ts";
import type { Channels } from "./channels.ts";
import type { End, LocalEnd } from "./ends.ts";
import { FarEnds, type Waiting } from "./far-ends.ts";
import type { Flows } from "./flows.ts";
import { answerQuestions, type Passed, type Passing, Questions } from "./questions.ts";
import { createReaderExchanges } from "./reader-exchanges.ts";
import { CHANNEL_KIND } from "./reader-head.ts";

export interface FarTransfersOptions {
  readonly cluster: ClusterPorts;
  readonly deps: Deps;
  readonly channels: Channels<End, End>;
  readonly flows: Flows;
  /** Throws a `Fault` while the server shuts down. */
  readonly assertTaking: () => void;
}

/**
 * Transfers between clients of several servers. A channel belongs to the server that created it, which gives both sides their
 * places, whichever servers they use. The bytes go directly from the writer's server to the reader's.
 */
export class FarTransfers {
  readonly #options: FarTransfersOptions;
  readonly #farEnds: FarEnds;
  readonly #owner: ChannelOwner;

  constructor(options: FarTransfersOptions) {
    this.#options = options;
    const { cluster, deps, channels, flows, assertTaking } = options;
    const questions = new Questions(cluster.calls);
    const farEnds = new FarEnds({ clock: deps.clock, ids: deps.ids, members: cluster.members, questions });
    const owner = new ChannelOwner({
      cluster,
      channels,
      farEnds,
      questions,
      send: (sending) => flows.send(cluster.exchanges, sending),
    });
    this.#farEnds = farEnds;
    this.#owner = owner;
    answerQuestions(cluster.calls, {
      join(server, joining) {
        assertTaking();
        return owner.join(server, joining);
      },
      look(id) {
        assertTaking();
        channels.look(id);
      },
      leave: (server, id, ticket) => owner.leave(server, id, ticket),
      meet: (ticket) => farEnds.meet(ticket),
      pass: (passing) => this.#pass(passing),
      wait: (ticket, ms) => farEnds.wait(ticket, ms),
      refuse: (ticket, fault) => farEnds.refuse(ticket, fault),
    });
    const exchanges = createReaderExchanges(farEnds, deps.clock, (receiving) => flows.receive(receiving));
    cluster.exchanges.serve(CHANNEL_KIND, exchanges);
  }

  /** Returns the other servers that may have created a channel. */
  ownersOf(id: string): readonly string[] {
    return this.#farEnds.ownersOf(id);
  }

  /** Asks these servers for a side's place. */
  join(waiting: Waiting, owners: readonly string[]): void {
    this.#farEnds.join(waiting, owners);
  }

  look(id: string, owners: readonly string[]): Promise<void> {
    return this.#farEnds.look(id, owners);
  }

  leave(end: LocalEnd): void {
    this.#farEnds.leave(end);
  }

  /** Brings together the sides of a channel of this server, at least one of which is at another server. */
  introduce(id: string, joined: Joined<End, End>): Promise<void> {
    return this.#owner.introduce(id, joined);
  }

  refuseAll(fault: () => Fault): void {
    this.#farEnds.refuseAll(fault);
  }

  /** Sends the bytes of a writer that waits here, when the channel's owner orders it. */
  #pass({ writer: ticket, reader }: Passing): Passed {
    const { cluster, flows } = this.#options;
    const writer = this.#farEnds.find(ticket);
    if (writer?.role !== "writer") return "writer_gone";
    if (reader.server === cluster.serverId) {
      if (this.#farEnds.find(reader.ticket)?.role !== "reader") return "reader_gone";
      const here = this.#farEnds.take(reader.ticket);
      this.#farEnds.take(ticket);
      if (here) flows.join(here.end, writer.end, writer.id, () => {});
      return "passing";
    }
    if (!flows.send(cluster.exchanges, { id: writer.id, writer: writer.end, reader })) return "failed";
    this.#farEnds.take(ticket);
    return "passing";
  }
}
