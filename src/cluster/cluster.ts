import type { LimitsElsewhere } from "../auth/auth.ts";
import type { AccessLists } from "../auth/gates.ts";
import { createSecrets } from "../auth/secrets.ts";
import type { Config } from "../config.ts";
import type { TenantRecords } from "../keys/tenant-records.ts";
import type { KeysElsewhere } from "../limits/elsewhere.ts";
import type { SharedOAuth } from "../oauth/oauth-records.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { ClusterSights } from "../state/cluster-facts.ts";
import type { Deps } from "../system/deps.ts";
import { VERSION } from "../system/version.ts";
import type { SessionWatch } from "../tunnel/session-watch.ts";
import { WorkerBalance } from "./balance/worker-balance.ts";
import type { Bus } from "./bus.ts";
import { ClusterCalls } from "./calls.ts";
import { LaneHub } from "./links/lane-hub.ts";
import { Links } from "./links/links.ts";
import { ownAddress } from "./links/own-address.ts";
import { SERVER_STOPS } from "./links/peer-link.ts";
import { SocketTransport } from "./links/socket-transport.ts";
import type { NatsBus } from "./nats/nats-bus.ts";
import { ClusterPools } from "./pools/cluster-pools.ts";
import type { Peer } from "./presence/peer.ts";
import { Presence } from "./presence/presence.ts";
import type { ClusterKeys } from "./records/cluster-keys.ts";
import type { LocalRecords } from "./records/cluster-records.ts";
import type { RecordKeeper } from "./records/record-keeper.ts";
import { Counts } from "./sharing/counts.ts";
import { Failures } from "./sharing/failures.ts";
import { SharedKeyUses } from "./sharing/key-uses.ts";
import { LastUses } from "./sharing/last-uses.ts";
import { Prefixes } from "./sharing/prefixes.ts";
import { ClusterReport } from "./state/cluster-state.ts";
import { BusPeerStates } from "./state/peer-states.ts";
import { createSubjects } from "./subjects.ts";
import { Tells } from "./tells.ts";

export interface ClusterOptions {
  readonly config: Pick<
    Config,
    | "serverId"
    | "clusterName"
    | "clusterListener"
    | "clusterAddress"
    | "region"
    | "windowBytes"
    | "confirmTimeoutMs"
    | "modelGraceMs"
    | "startGraceMs"
    | keyof KeyLists
  >;
  readonly deps: Deps;
  /** The bus of the cluster, which closes it. */
  readonly bus: Bus & { close(): Promise<void> };
  /** The connection below the bus, as operators are shown it. */
  readonly nats: Pick<NatsBus, "address" | "forbidden">;
  /** The records that all servers share. */
  readonly records: LocalRecords;
  /** The created keys that all servers share. The cluster closes them. Absent in tests without such keys. */
  readonly keys?: ClusterKeys | undefined;
  /** The limits of tenants that all servers share. Absent in tests without such limits. */
  readonly tenants?: TenantRecords | undefined;
  /** The records of the authorization server that all servers share. Absent in tests without it. */
  readonly oauth?: SharedOAuth | undefined;
  /** Keeps the records in NATS. The cluster closes it. */
  readonly keeper: Pick<RecordKeeper, "hasRecords" | "close">;
  /** Identifies this run of the server. No other run has the same epoch. */
  readonly epoch: string;
  /** The private address of this machine; undefined if it has none. */
  readonly privateAddress: string | undefined;
}

/** The keys that should be the same on all servers. */
type KeyLists = Pick<AccessLists, "apiKeys" | "clientKeys" | "adminKeys">;

/** This server as a member of a cluster: everything that it does together with the other servers. */
export class Cluster {
  /** For the plugins. */
  readonly ports: ClusterPorts;
  /** For the dashboard and the metrics. */
  readonly sights: ClusterSights | undefined;
  /** The counts of other servers: requests of callers, and wrong keys. */
  readonly limits: LimitsElsewhere;
  /** What keys hold and use of their limits at other servers. */
  readonly keyUses: KeysElsewhere;
  readonly presence: Presence;
  /** The links that carry bodies to peers. */
  readonly links: Links;
  /** The records that must survive a restart. */
  readonly records: LocalRecords;
  /** The created keys that all servers share. */
  readonly keys: ClusterKeys | undefined;
  /** The limits of tenants that all servers share. */
  readonly tenants: TenantRecords | undefined;
  /** The records of the authorization server that all servers share. */
  readonly oauth: SharedOAuth | undefined;
  readonly #keeper: ClusterOptions["keeper"];
  readonly #bus: ClusterOptions["bus"];
  readonly #calls: ClusterCalls;
  readonly #lanes: LaneHub;
  readonly #pools: ClusterPools;
  readonly #states: BusPeerStates;
  readonly #counts: Counts;
  readonly #failures: Failures;
  readonly #keyUses: SharedKeyUses;
  readonly #prefixes: Prefixes;
  readonly #lastUses: LastUses;
  readonly #balance: WorkerBalance;
  readonly #name: string;
  #lists: KeyLists;
  #fileDigest: string | undefined;
  #fingerprint: string;
  #isOwner: (owner: string) => boolean = () => true;
  #heirOf = (owner: string): string => owner;

  /** Throws if the address for links cannot be used. */
  constructor({ config, deps, bus, nats, epoch, privateAddress, records, ...kept }: ClusterOptions) {
    const { keys, tenants, oauth, keeper } = kept;
    const { serverId, windowBytes, confirmTimeoutMs, clusterListener: listener, clusterAddress: address } = config;
    const { clock } = deps;
    const random = Math.random;
    const log = deps.log.with({ cluster: config.clusterName });
    const subjects = createSubjects(config.clusterName);
    const self = { id: serverId, epoch };
    this.#name = config.clusterName;
    this.#lists = config;
    this.#fingerprint = this.#currentFingerprint();
    this.#bus = bus;
    this.records = records;
    this.keys = keys;
    this.tenants = tenants;
    this.oauth = oauth;
    this.#keeper = keeper;
    this.#calls = new ClusterCalls({ serverId, subjects, bus, clock, log });
    this.#lanes = new LaneHub({ self, bus, subject: subjects.lane, clock });
    this.links = new Links({
      self,
      deps: { ...deps, log },
      transport: new SocketTransport(clock),
      lanes: this.#lanes,
      windowBytes,
      confirmTimeoutMs,
      random,
    });
    const { links } = this;
    const own = ownAddress({ listener, address, privateAddress });
    const contact = links.listen({ host: own.host, port: listener.port }, own.told);
    this.#states = new BusPeerStates({ bus, calls: this.#calls, subjects, serverId, clock, log });
    this.presence = new Presence({
      serverId,
      epoch,
      own: {
        region: config.region,
        version: VERSION,
        keys: () => this.#fingerprint,
        address: () => contact.address,
        linkKey: contact.linkKey,
        load: () => this.#states.own?.load(),
      },
      clock,
      log,
      bus,
      subject: subjects.gossip,
      calls: this.#calls,
      links,
      isOwner: (owner) => this.#isOwner(owner),
      heirOf: (owner) => this.#heirOf(owner),
      modelGraceMs: config.modelGraceMs,
      startGraceMs: config.startGraceMs,
      random,
    });
    const { presence } = this;
    presence.peers.onBeat((peer) => this.#meet(peer));
    presence.peers.onUnlinked((peerId) => links.forget(peerId, "the server is gone"));
    this.#balance = new WorkerBalance({
      clock,
      log,
      moves: presence.moves,
      peers: presence.peers,
      countAt: (pluginId, peerId) => presence.workersOf(pluginId).countAt(peerId),
    });
    const tells = new Tells(links.line);
    const secretFor = createSecrets({ shared: records.secret, cluster: config, random: deps.ids.secret });
    this.#pools = new ClusterPools({ clock, presence, links, tells, random });
    const reports = new ClusterReport({
      name: config.clusterName,
      region: config.region,
      address: () => contact.address,
      bus,
      busAddress: () => nats.address,
      hasRecords: () => keeper.hasRecords,
      forbidden: () => nats.forbidden,
      keys: () => this.#fingerprint,
      peers: presence.peers,
      jobs: this.#pools.counts,
      offers: () => this.#pools.offers,
      clock,
    });
    this.sights = { reports, states: this.#states };
    this.#counts = new Counts(clock, tells);
    this.#failures = new Failures(clock, tells, secretFor("addresses"));
    this.#prefixes = new Prefixes(clock, tells);
    this.#lastUses = new LastUses(clock, tells);
    keys?.shareUses(this.#lastUses);
    this.#keyUses = new SharedKeyUses(clock, tells, self);
    this.keyUses = this.#keyUses;
    this.limits = { requests: this.#counts, keys: this.#failures.of("key"), tokens: this.#failures.of("token") };
    this.ports = {
      serverId,
      calls: this.#calls,
      members: presence.members,
      exchanges: {
        sessionTo: (id) => links.linkTo(id)?.session,
        onChange: (onChanged) => links.onChange(({ peerId }) => onChanged(peerId)),
        serve: (kind, handler) => links.serve(kind, handler),
      },
      workersOf: (pluginId) => presence.workersOf(pluginId),
      joinPool: (pluginId) => this.#pools.join(pluginId),
      prefixesOf: (pluginId) => this.#prefixes.of(pluginId),
    };
  }

  /**
   * Sets the functions that say whether a key or role of this server still stands for an owner of worker ids, and to whom the
   * ids of an owner belong now.
   */
  judgeOwners(isOwner: (owner: string) => boolean, heirOf: (owner: string) => string): void {
    this.#isOwner = isOwner;
    this.#heirOf = heirOf;
  }

  /** Returns the watch of one plugin's sessions. Called once for each plugin. */
  watch(pluginId: string): SessionWatch {
    return this.presence.watch(pluginId);
  }

  /** Takes over the keys of this server after they have changed. */
  takeKeys(lists: KeyLists): void {
    this.#lists = lists;
    this.#fingerprint = this.#currentFingerprint();
  }

  /** Takes over the digest of `KEYS_FILE` after it was read; undefined if it lists nothing. */
  takeKeysFile(digest: string | undefined): void {
    this.#fileDigest = digest;
    this.#fingerprint = this.#currentFingerprint();
  }

  /** Tells the other servers at once that this one takes no more of their jobs. */
  drain(): void {
    this.#balance.stop();
    this.presence.drain();
  }

  /** Closes everything that belongs to the cluster. Resolves when all messages have left. */
  async close(): Promise<void> {
    this.#balance.stop();
    this.#states.close();
    this.#pools.close();
    this.#counts.close();
    this.#failures.close();
    this.#keyUses.close();
    this.#prefixes.close();
    this.#lastUses.close();
    this.presence.close();
    this.#calls.close();
    this.links.close(SERVER_STOPS);
    this.#lanes.close();
    this.keys?.close();
    await this.#keeper.close();
    await this.#bus.close();
  }

  /** Passes the address and the key of a peer's links on. */
  #meet({ id, greeting: { epoch, address, link_key: linkKey } }: Peer): void {
    if (linkKey !== undefined) this.links.heard({ id, epoch, address, linkKey });
  }

  #currentFingerprint(): string {
    const { apiKeys, clientKeys, adminKeys } = this.#lists;
    const cluster = { apiKeys, clientKeys, adminKeys, clusterName: this.#name, fileDigest: this.#fileDigest };
    return createSecrets({ shared: undefined, cluster, random: () => "" })("fingerprint")();
  }
}
