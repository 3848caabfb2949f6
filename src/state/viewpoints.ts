import { Fault } from "../errors.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { Deps } from "../system/deps.ts";
import { Broadcast } from "./broadcast.ts";
import type { PeerStates } from "./cluster-facts.ts";
import { type HistoryState, toHistoryState } from "./history.ts";
import type { Overview } from "./overview.ts";
import { createAllView, createPeerView, type ServerView, type ViewParts } from "./server-views.ts";

export interface ViewpointsOptions {
  readonly deps: Deps;
  readonly serverId: string;
  readonly plugins: readonly Plugin[];
  readonly overview: Overview;
  /** The states of other servers; absent without a cluster. */
  readonly states?: PeerStates | undefined;
  readonly keepaliveMs: number;
  readonly stallMs: number;
  /** How many streams may be open, of any server. */
  readonly maxViewers: number;
}

/** The name that stands for all servers. */
export const ALL_SERVERS = "all";

/** The key of this server's own view. No server has this id, because ids are not empty. */
const OWN = "";

/** How long a snapshot waits for a peer's state, in milliseconds. A peer writes it within a second. */
const ANSWER_MS = 2000;

interface Viewpoint {
  readonly view: ServerView;
  readonly broadcast: Broadcast;
}

/**
 * The states that viewers can look at through this server: its own, a peer's, or those of all servers. A peer sends its
 * state only while somebody looks, and its text is passed on without being parsed. Servers are named as in `?server=`:
 * by their ids, by `all`, and by null for this one.
 */
export class Viewpoints {
  readonly #options: ViewpointsOptions;
  readonly #open = new Map<string, Viewpoint>();
  readonly #parts: ViewParts | undefined;
  #isClosed = false;

  constructor(options: ViewpointsOptions) {
    this.#options = options;
    const { deps, serverId, overview, states } = options;
    // Each server shows the cluster as it sees it, so a peer gets the state without it.
    const own = { revision: () => this.#ownRevision(), write: () => this.#ownText(false) };
    if (!overview.cluster || !states) return;
    this.#parts = { clock: deps.clock, serverId, cluster: overview.cluster, states, own };
    states.offer({ load: () => overview.load(), ...own });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.viewers >= this.#options.maxViewers;
  }

  /** Open streams. */
  get viewers(): number {
    let viewers = 0;
    for (const { broadcast } of this.#open.values()) viewers += broadcast.viewers;
    return viewers;
  }

  /** Returns a server's state as JSON. Throws `server_not_found`, and `server_not_answering` if no state is known. */
  async snapshot(server: string | null): Promise<string> {
    const view = this.#createView(this.#targetOf(server));
    try {
      await view.wait(ANSWER_MS);
      if (!view.isKnown()) throw notAnswering(server);
      return view.write();
    } finally {
      view.close();
    }
  }

  /** Opens the stream of a server's state. MUST NOT be called if it is full or closed. Throws `server_not_found`. */
  stream(server: string | null, isAllowed: () => boolean, onEnding: () => void): ReadableStream<Uint8Array> {
    const target = this.#targetOf(server);
    let viewpoint = this.#open.get(target);
    if (!viewpoint) {
      viewpoint = this.#createViewpoint(target);
      this.#open.set(target, viewpoint);
    }
    const { broadcast } = viewpoint;
    try {
      return broadcast.open(isAllowed, onEnding);
    } catch (error) {
      if (broadcast.viewers === 0) this.#drop(target);
      throw error;
    }
  }

  /** Returns a server's last quarter of an hour, without samples until its first beat. Throws `server_not_found`. */
  history(server: string | null): HistoryState {
    const { overview } = this.#options;
    const target = this.#targetOf(server);
    if (target === OWN) return overview.history();
    if (target === ALL_SERVERS) return overview.historyOfAll();
    return overview.cluster?.historyOf(target) ?? toHistoryState([]);
  }

  /** Ends all streams and opens no more. */
  close(): void {
    this.#isClosed = true;
    for (const { broadcast } of [...this.#open.values()]) broadcast.close();
  }

  #targetOf(server: string | null): string {
    const { serverId, overview } = this.#options;
    if (server === null || server === serverId) return OWN;
    if (server === ALL_SERVERS || overview.cluster?.knows(server)) return server;
    throw new Fault("server_not_found", { param: "server" });
  }

  #createView(target: string): ServerView {
    const parts = this.#parts;
    if (parts && target === ALL_SERVERS) return createAllView(parts);
    if (parts && target !== OWN) return createPeerView(parts, target);
    const isAll = target === ALL_SERVERS;
    return {
      revision: () => this.#ownRevision(),
      write: () =>
        isAll ? `{"servers":{${JSON.stringify(this.#options.serverId)}:${this.#ownText(false)}}}` : this.#ownText(true),
      wait: async () => {},
      isKnown: () => true,
      close: () => {},
    };
  }

  #createViewpoint(target: string): Viewpoint {
    const { deps, keepaliveMs, stallMs, maxViewers } = this.#options;
    const view = this.#createView(target);
    const broadcast = new Broadcast({
      clock: deps.clock,
      log: deps.log,
      revision: () => view.revision(),
      write: () => view.write(),
      keepaliveMs,
      stallMs,
      maxViewers,
      onEmpty: () => this.#drop(target),
    });
    return { view, broadcast };
  }

  #drop(target: string): void {
    // This server's own view costs nothing, and its last text serves the next viewer.
    if (target === OWN) return;
    this.#open.get(target)?.view.close();
    this.#open.delete(target);
  }

  #ownRevision(): string {
    const { overview, plugins } = this.#options;
    return [overview.revision, ...plugins.map(({ reports }) => reports?.revision)].join(" ");
  }

  #ownText(withCluster: boolean): string {
    const { overview, plugins } = this.#options;
    const cluster = withCluster ? overview.cluster?.state() : undefined;
    return JSON.stringify({
      server: overview.state(this.viewers),
      ...(cluster && { cluster }),
      plugins: Object.fromEntries(plugins.flatMap(({ id, reports }) => (reports ? [[id, reports.state()]] : []))),
    });
  }
}

function notAnswering(server: string | null): Fault {
  return new Fault("server_not_answering", { message: `Server ${server} does not answer.` });
}
