import type { Deps, Log } from "../system/deps.ts";
import { onServer } from "../system/server-id.ts";
import { CLOSES, type Close, closeWith } from "../wire/closes.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import { mayRegister, type WorkerTerms } from "../wire/worker-terms.ts";
import { Arrivals, type Newcomer } from "./arrivals.ts";
import type { Dialect } from "./dialect.ts";
import type { Hello } from "./greeting.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type IdHolder, IdSearch } from "./id-search.ts";
import { createFrameMemory, createNativeDialect } from "./native.ts";
import { type Claimant, IdOwners, type OwnerRecords } from "./owners.ts";
import { toRegistered } from "./registered.ts";
import { Roster } from "./roster.ts";
import { SessionLog } from "./session-log.ts";
import type { Admission, Applicant, Intake, IntakeOptions } from "./session-source.ts";
import type { SessionWatch } from "./session-watch.ts";
import { SlotShares } from "./slot-shares.ts";
import { closeSocket, createSocket, MAX_MESSAGE_BYTES, type Upgrader, type WorkerSocket } from "./sockets.ts";
import { Upgrades } from "./upgrades.ts";
import { WorkerSession } from "./worker-session.ts";

export interface EndpointOptions extends Omit<IntakeOptions, "pluginId"> {
  readonly deps: Deps;
  /** The beginning of session ids, which identifies this server. */
  readonly serverId: string;
  readonly limits: LinkLimits;
  /** Whether a key or role of the server still stands for this owner of an id. */
  readonly isOwner: (owner: string) => boolean;
  /** Returns the owner to whom the ids of an owner belong now, if its key was replaced; the same owner unless given. */
  readonly heirOf?: ((owner: string) => string) | undefined;
  /** Keeps the owners of ids over restarts; they are kept in memory alone unless given. */
  readonly ownerRecords?: OwnerRecords | undefined;
  /** Announces the sessions to other servers; undefined without a cluster. */
  readonly watch?: SessionWatch | undefined;
}

/** A peer that has introduced itself. */
type Peer = Pick<Newcomer, "ws" | "dialect" | "hello" | "applicant">;

/** Limits that apply to the links of all plugins. */
export interface LinkLimits {
  /** How long a new socket may take to register. */
  readonly registerTimeoutMs: number;
  /** Body bytes that each direction of each exchange starts with. */
  readonly windowBytes: number;
  readonly pingIntervalMs: number;
  /** How long a slot is held for a worker that does not confirm a cancel. */
  readonly confirmTimeoutMs: number;
}

/** The refusal of an id of another owner. */
const ID_IN_USE = closeWith("id_in_use", "another key owns it; send that key too, or remove it from the server");

/** How soon a worker that was told to leave should come back: about the time of a restart. */
const DRAIN_RETRY_AFTER_MS = 2000;

/** The holder of an id that belongs to another key. No newcomer gets that id. */
const ANOTHER_OWNER: IdHolder = { lastHeardAt: Number.POSITIVE_INFINITY, ping: () => {} };

/**
 * How soon a worker should look for the server that takes over: proxies that check health each second have mostly
 * noticed.
 */
const HANDOVER_RETRY_AFTER_MS = 500;

/** Makes sessions of the sockets on which a plugin's workers connect to this server. */
export class WorkerEndpoint implements Intake {
  readonly #options: EndpointOptions;
  readonly #log: Log;
  readonly #heartbeat: Heartbeat;
  readonly #owners: IdOwners;
  readonly #upgrades: Upgrades;
  readonly #roster: Roster;
  readonly #shares = new SlotShares();
  readonly #lines: SessionLog;
  readonly #frameMemory = createFrameMemory();
  /** Whether new workers are refused, because another server should have them. */
  #isLeaving = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#log = options.deps.log;
    this.#lines = new SessionLog(this.#log, options.deps.clock);
    this.#heartbeat = new Heartbeat(options.deps.clock, options.limits.pingIntervalMs);
    const { deps, isOwner, heirOf, ownerRecords } = options;
    this.#roster = new Roster(options.watch);
    this.#owners = new IdOwners({
      clock: deps.clock,
      isOwner,
      heirOf,
      records: ownerRecords,
      onLost: (id) => this.#closeAll(id, ID_IN_USE),
    });
    const arrivals = new Arrivals({
      clock: options.deps.clock,
      registerTimeoutMs: options.limits.registerTimeoutMs,
      maxLegacyBytes: options.maxLegacyBytes || MAX_MESSAGE_BYTES,
      reception: {
        greet: (ws, message, dialect, applicant) => this.#greet(ws, message, dialect, applicant),
        searchId: (newcomer, onFound) => this.#searchId(newcomer, onFound),
        register: (newcomer, id) => this.#register(newcomer, id),
        refuse: (ws, close, applicant, hello) => this.#refuse(ws, close, applicant, hello),
      },
    });
    this.#upgrades = new Upgrades(deps.clock, arrivals);
  }

  upgrade(request: Request, upgrader: Upgrader, applicant: Applicant): undefined | Promise<undefined> {
    return this.#upgrades.take(request, upgrader, applicant);
  }

  knows(workerId: string): boolean {
    return this.#owners.has(workerId);
  }

  handOver(reason: string, retryAfterMs = HANDOVER_RETRY_AFTER_MS): void {
    this.#isLeaving = true;
    this.#roster.leave((session) => session.sendHandover(reason, retryAfterMs));
  }

  drain(reason: string, retryAfterMs = DRAIN_RETRY_AFTER_MS): void {
    this.#isLeaving = true;
    this.#roster.leave((session) => session.sendDrain(reason, retryAfterMs));
  }

  setTerms(owner: string, terms: WorkerTerms): void {
    for (const session of this.#roster.of(owner)) {
      if (this.#knowsTenantsFor(terms, session.worker)) session.setTerms(terms);
      else session.close(CLOSES.tenants_not_known);
    }
  }

  closeDisowned(): number {
    const disowned = this.#roster.disowned(this.#options.isOwner);
    for (const session of disowned) session.close(CLOSES.key_removed);
    return disowned.length;
  }

  close(close: Close): void {
    this.#isLeaving = true;
    for (const session of this.#roster.all()) session.close(close);
    this.#heartbeat.stop();
  }

  #closeAll(workerId: string, close: Close): void {
    for (const session of this.#roster.all()) if (session.worker.id === workerId) session.close(close);
  }

  /** Whether no worker of another owner has the id, on this server or on another one. */
  #mayClaim(id: string, claimant: Claimant): boolean {
    return this.#owners.mayClaim(id, claimant) && (this.#options.watch?.mayClaim(id, claimant) ?? true);
  }

  /** Whether a key with these terms may serve a worker that has said this. */
  #knowsTenantsFor({ tenants }: WorkerTerms, { hostInfo }: Pick<Hello, "hostInfo">): boolean {
    return tenants === undefined || this.#knowsTenants(hostInfo);
  }

  #knowsTenants(hostInfo: HostInfo): boolean {
    return this.#options.greeting.knowsTenants?.(hostInfo) ?? true;
  }

  /** Reads the first message. Returns undefined for a peer that was refused. */
  #greet(
    ws: WorkerSocket,
    message: string | Buffer,
    dialect: Dialect["name"],
    applicant: Applicant,
  ): Newcomer | Promise<Newcomer | undefined> | undefined {
    if (this.#isLeaving) return this.#refuse(ws, CLOSES.draining, applicant);
    const parsed =
      typeof message === "string"
        ? this.#options.greeting.parse(message, dialect)
        : { ok: false as const, close: CLOSES.expected_register };
    if (!parsed.ok) return this.#refuse(ws, parsed.close, applicant);
    const hello = parsed.value;
    const peer = { ws, dialect, hello, applicant };
    // The legacy dialect has no answer in which a key could be handed out.
    if (hello.join && dialect === "native") return this.#join(peer, hello.join);
    return this.#admit(peer, applicant.admit(hello), hello.workerId);
  }

  async #join(peer: Peer, { token, proof, ids }: NonNullable<Hello["join"]>): Promise<Newcomer | undefined> {
    const { ws, hello, applicant } = peer;
    const workerId = hello.workerId ?? ids[0] ?? this.#options.deps.ids.secret();
    const [boundId = workerId, ...otherIds] = ids;
    // Before a use of the token is spent on a worker that would be refused all the same.
    if (!mayRegister({ ids: [boundId, ...otherIds] }, workerId))
      return this.#refuse(ws, CLOSES.id_not_allowed, applicant, hello);
    if (this.#options.isBlocked(workerId)) return this.#refuse(ws, CLOSES.blocked, applicant, hello);
    const admission = await applicant.join({
      token,
      proof,
      workerId: boundId,
      otherIds,
      name: hello.name,
      knowsTenants: this.#knowsTenants(hello.hostInfo),
      previousKey: hello.previousKey,
      mayHaveId: (claimant) => this.#mayClaim(workerId, claimant) && this.#mayClaim(boundId, claimant),
    });
    return this.#admit(peer, admission, workerId);
  }

  #admit(peer: Peer, admission: Admission, saidId: string | undefined): Newcomer | undefined {
    const { ws, hello, applicant } = peer;
    if (!admission.ok) return this.#refuse(ws, CLOSES[admission.refusal], applicant, hello);
    const { owner, previousOwner, caller, terms = {}, credential } = admission;
    if (!this.#knowsTenantsFor(terms, hello)) return this.#refuse(ws, CLOSES.tenants_not_known, applicant, hello);
    const workerId = saidId ?? terms.ids?.[0] ?? this.#options.deps.ids.secret();
    const claimant = { owner, previousOwner };
    return { ...peer, workerId, claimant, caller, terms: admission.terms, credential };
  }

  /** Searches for an id where another session has that of a legacy agent. A native worker replaces the session instead. */
  #searchId(
    { dialect, workerId, claimant }: Newcomer,
    onFound: (id: string | undefined) => void,
  ): IdSearch | undefined {
    if (dialect === "native" || !this.#roster.holderOf(workerId)) return undefined;
    // An id that belongs to another key is refused without a search.
    if (!this.#mayClaim(workerId, claimant)) return undefined;
    return new IdSearch({
      said: workerId,
      holderOf: (id) => (this.#mayClaim(id, claimant) ? this.#roster.holderOf(id) : ANOTHER_OWNER),
      clock: this.#options.deps.clock,
      onFound,
    });
  }

  #register(newcomer: Newcomer, id: string): WorkerSession | undefined {
    const { ws, dialect, hello, claimant, applicant } = newcomer;
    // A handover or a drain may have begun while an id was searched.
    if (this.#isLeaving) return this.#refuse(ws, CLOSES.draining, applicant, hello);
    // A reload may have removed its key since then, or its role since the socket opened.
    if (!this.#options.isOwner(claimant.owner)) return this.#refuse(ws, CLOSES.key_removed, applicant, hello);
    const { terms, credential } = newcomer;
    if (terms && !mayRegister(terms, id)) return this.#refuse(ws, CLOSES.id_not_allowed, applicant, hello);
    if (!this.#mayClaim(id, claimant)) return this.#refuse(ws, ID_IN_USE, applicant, hello);
    if (this.#options.isBlocked(id)) return this.#refuse(ws, CLOSES.blocked, applicant, hello);
    this.#owners.claim(id, claimant, hello.workerId === undefined);
    const session = this.#createSession(newcomer, id);
    this.#lines.opened(session, newcomer);
    const { greeting, serverId, limits } = this.#options;
    const answer = greeting.answer(dialect, { ...toRegistered(session, { serverId, ...limits }), credential });
    if (answer) ws.send(JSON.stringify(answer));
    session.tellTerms();
    this.#options.pool.onOpened(session);
    this.#roster.opened(session);
    return session;
  }

  #createSession(newcomer: Newcomer, workerId: string): WorkerSession {
    const { ws, dialect, hello } = newcomer;
    const { deps, greeting, pool, serverId, limits } = this.#options;
    const id = onServer(serverId, deps.ids.secret());
    const log = this.#log.with({ session: id, worker: workerId });
    let stopBeating = (): void => {};
    const session: WorkerSession = new WorkerSession({
      id,
      worker: {
        id: workerId,
        name: hello.name ?? workerId.slice(0, 8),
        version: hello.version,
        hostInfo: hello.hostInfo,
      },
      offer: hello.offer,
      terms: newcomer.terms,
      shareSlots: newcomer.terms && ((onMore) => this.#shares.join(newcomer.claimant.owner, workerId, onMore)),
      dialect:
        dialect === "native"
          ? createNativeDialect(limits.windowBytes, this.#frameMemory)
          : greeting.createLegacyDialect(),
      socket: createSocket(ws, (result) => session.handleSendResult(result)),
      host: {
        onOfferChange: (changed) => pool.onOfferChange(changed),
        onClosed: (closed, reason) => {
          stopBeating();
          this.#owners.release(workerId);
          pool.onClosed(closed, reason);
          this.#roster.remove(session);
        },
      },
      clock: deps.clock,
      log,
      confirmTimeoutMs: limits.confirmTimeoutMs,
    });
    stopBeating = this.#heartbeat.add(session);
    this.#roster.add(session, newcomer.claimant);
    return session;
  }

  #refuse(ws: WorkerSocket, close: Close, applicant: Applicant, hello?: Hello): undefined {
    this.#lines.refused(close, applicant, hello);
    closeSocket(ws, close);
    return undefined;
  }
}
