import type { AppCluster } from "../../src/app/app-parts.ts";
import type { KeysElsewhere } from "../../src/limits/elsewhere.ts";
import type { ClusterPorts } from "../../src/plugin/cluster.ts";
import type {
  BusFacts,
  ClusterCounts,
  ClusterFacts,
  ClusterReports,
  ClusterSights,
  FollowedPeer,
  OwnState,
  PeerFacts,
  PeerLink,
  PeerStates,
  PeerText,
  ServerLoad,
} from "../../src/state/cluster-facts.ts";
import type { Clock } from "../../src/system/deps.ts";
import type { SessionWatch } from "../../src/tunnel/session-watch.ts";
import { ScriptedRemotes } from "./scripted-remotes.ts";

/** A direct link on which nothing has passed. */
export const QUIET_LINK: PeerLink = {
  way: "direct",
  rttMs: 0.4,
  bytesIn: 0,
  bytesOut: 0,
  tried: undefined,
  failure: undefined,
};

/** Plugins that ask other servers learn that nobody is there. */
const NO_PORTS: ClusterPorts = {
  serverId: "a",
  calls: { answer: () => {}, ask: async () => ({ kind: "nobody" }) },
  members: { ids: () => [], isAnyReady: () => false, onCame: () => {}, onGone: () => {} },
  exchanges: { sessionTo: () => undefined, onChange: () => {}, serve: () => {} },
  workersOf: () => ({
    serverOf: () => undefined,
    accessOf: () => undefined,
    hasAccess: false,
    leftAgoMs: () => undefined,
    onMoved: () => {},
  }),
  joinPool: () => {
    const nobody = new ScriptedRemotes();
    return { remotes: { models: nobody, queue: nobody }, begin: () => {} };
  },
  prefixesOf: () => ({ tellPrompt: () => {}, tellResponse: () => {}, onTold: () => {} }),
};

const NO_REQUESTS = { countOf: () => 0, changed: () => {} };
const NO_FAILURES = { nameOf: (address: string) => address, tell: () => {}, onTold: () => {} };

/** A cluster whose peers a test describes, without NATS and links. */
export class ScriptedCluster implements AppCluster, ClusterSights, ClusterReports, PeerStates {
  readonly ports = NO_PORTS;
  readonly sights = this;
  readonly reports = this;
  readonly states = this;
  /** The peers that are followed now, each as often as it is followed. */
  readonly followed: string[] = [];
  own: OwnState | undefined;
  readonly #clock: Clock;
  readonly #peers = new Map<string, PeerFacts>();
  readonly #texts = new Map<string, PeerText>();
  readonly #beats: ((peerId: string) => void)[] = [];
  readonly #awaited: (() => void)[] = [];
  #more: Partial<ClusterFacts> = {};
  #bus: Partial<BusFacts> = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly limits = { requests: NO_REQUESTS, keys: NO_FAILURES, tokens: NO_FAILURES };

  readonly keyUses: KeysElsewhere = {
    serverId: "a",
    tell: () => {},
    changed: () => {},
    holdings: () => [],
    spent: () => ({ before: 0, others: 0 }),
  };

  judgeOwners(): void {}

  takeKeys(): void {}

  takeKeysFile(): void {}

  watch(): SessionWatch {
    return {
      mayClaim: () => true,
      holderOf: () => undefined,
      onOpened: () => {},
      onLeaving: () => {},
      onClosed: () => {},
    };
  }

  drain(): void {}

  async close(): Promise<void> {}

  facts(): ClusterFacts {
    return {
      name: "moorage",
      region: undefined,
      address: "127.0.0.1:8088",
      bus: {
        isUp: true,
        since: this.#clock.now(),
        reason: undefined,
        idHeldOn: undefined,
        address: "127.0.0.1:4222",
        hasRecords: true,
        forbidden: [],
        ...this.#bus,
      },
      peers: [...this.#peers.values()],
      sharedIds: [],
      counts: NO_COUNTS,
      ...this.#more,
    };
  }

  onBeat(listener: (peerId: string) => void): void {
    this.#beats.push(listener);
  }

  /** Adds a peer, or changes one. */
  peer(id: string, changes: Partial<PeerFacts> = {}): void {
    const now = this.#clock.now();
    const usual: PeerFacts = this.#peers.get(id) ?? {
      id,
      epoch: `${id}-1`,
      region: undefined,
      version: "1.2.3",
      status: "alive",
      since: now,
      saidGoodbye: false,
      address: "127.0.0.1:9000",
      link: QUIET_LINK,
      heardAt: now,
      clockAheadMs: 0,
      hasSameKeys: true,
      load: undefined,
    };
    this.#peers.set(id, { ...usual, ...changes });
  }

  forget(id: string): void {
    this.#peers.delete(id);
  }

  /** Lets a beat of the peer arrive. */
  beat(id: string, load: ServerLoad): void {
    this.peer(id, { load, heardAt: this.#clock.now() });
    for (const listener of this.#beats) listener(id);
  }

  bus(changes: Partial<BusFacts>): void {
    this.#bus = { ...this.#bus, ...changes };
  }

  set(changes: Partial<ClusterFacts>): void {
    this.#more = { ...this.#more, ...changes };
  }

  offer(own: OwnState): void {
    this.own = own;
  }

  /** Lets a peer's state arrive, as JSON text. */
  arrive(id: string, text: string): void {
    const number = (this.#texts.get(id)?.number ?? 0) + 1;
    this.#texts.set(id, { text, number, confirmedAt: this.#clock.now() });
    for (const resolve of this.#awaited.splice(0)) resolve();
  }

  follow(id: string): FollowedPeer {
    this.followed.push(id);
    let isOpen = true;
    return {
      latest: () => this.#texts.get(id),
      next: async (ms) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const cancel = this.#clock.after(ms, resolve);
        this.#awaited.push(resolve);
        await promise;
        cancel();
        return this.#texts.get(id);
      },
      close: () => {
        if (isOpen) this.followed.splice(this.followed.indexOf(id), 1);
        isOpen = false;
      },
    };
  }
}

const NO_COUNTS: ClusterCounts = {
  jobsOut: 0,
  jobsIn: 0,
  refusedOut: 0,
  refusedIn: 0,
  offers: { taken: 0, declined: 0, late: 0, lost: 0 },
};
