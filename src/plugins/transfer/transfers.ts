import { drainingFault, type Fault } from "../../errors.ts";
import type { Metrics } from "../../figures/metrics.ts";
import { ClientGone } from "../../http/body.ts";
import type { Listener } from "../../http/listener.ts";
import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { Lifecycle } from "../../plugin/contract.ts";
import type { EndedRequests } from "../../plugin/ended-requests.ts";
import type { Pulse, Reports } from "../../plugin/reports.ts";
import type { Charges } from "../../pool/charge.ts";
import type { Deps } from "../../system/deps.ts";
import { channelPrefix } from "../../system/server-id.ts";
import type { Joined } from "./channel.ts";
import { Channels } from "./channels.ts";
import type { End, LocalEnd, Role, TransferCall } from "./ends.ts";
import { FarTransfers } from "./far-transfers.ts";
import { Flows } from "./flows.ts";
import type { TransferConfig } from "./settings.ts";
import { TransferFigures } from "./transfer-figures.ts";
import { type TransferState, toTransferState } from "./transfer-state.ts";

export interface TransfersOptions {
  readonly config: TransferConfig;
  readonly deps: Deps;
  readonly listener: Listener;
  readonly metrics: Metrics;
  /** Takes note of the requests that have ended; undefined where nobody counts them. */
  readonly endedRequests?: EndedRequests | undefined;
  /** Counts each side as a request of its key; undefined where no key has limits. */
  readonly charges?: Pick<Charges, "takeRequest"> | undefined;
  /** The other servers; undefined for a server without a cluster. */
  readonly cluster?: ClusterPorts | undefined;
}

/** A request with a made key that has no answer yet. */
interface Keyed {
  readonly keyId: string | undefined;
  readonly end: (reason: unknown) => void;
}

/** Joins readers to writers, and counts what became of each channel. */
export class Transfers implements Reports, Lifecycle {
  readonly #options: TransfersOptions;
  readonly #channels: Channels<End, End>;
  /** Undefined for a server without a cluster. */
  readonly #far: FarTransfers | undefined;
  readonly #flows: Flows;
  /** The requests with made keys that have no answer yet. */
  readonly #keyed = new Set<Keyed>();
  readonly #figures: TransferFigures;
  #isDraining = false;

  constructor(options: TransfersOptions) {
    this.#options = options;
    const { cluster, config, deps, listener, metrics, endedRequests } = options;
    const figures = new TransferFigures(metrics, deps.log);
    const flows = new Flows({
      clock: deps.clock,
      listener,
      figures,
      stallMs: config.clientStallTimeoutMs,
      endedRequests,
    });
    this.#figures = figures;
    this.#flows = flows;
    this.#channels = new Channels({
      clock: deps.clock,
      ids: deps.ids,
      idPrefix: channelPrefix(config.serverId),
      ttlMs: config.transferTtlMs,
      maxChannels: config.transferMaxChannels,
      onJoined: (channel, id) => this.#joined(channel, id),
      onChange: () => {
        figures.changes += 1;
      },
      onExpired: () => figures.expired(),
    });
    this.#far =
      cluster &&
      new FarTransfers({
        cluster,
        deps,
        channels: this.#channels,
        assertTaking: () => this.#assertTaking(),
        flows,
      });
    metrics.gauge("moorage_transfer_channels", "Open channels: waiting for a side, or joined.", ["state"], () => [
      { labels: { state: "waiting" }, value: this.#channels.waiting },
      { labels: { state: "active" }, value: flows.size },
    ]);
  }

  create(): { readonly id: string; readonly expiresAt: number } {
    this.#assertTaking();
    return this.#channels.create();
  }

  /** Checks whether a reader could attach now. Throws, or rejects with, the `Fault` that it would get. */
  look(id: string): void | Promise<void> {
    this.#assertTaking();
    const elsewhere = this.#elsewhere(id);
    if (elsewhere) return elsewhere.far.look(id, elsewhere.owners);
    this.#channels.look(id);
  }

  /** Answers with the writer's bytes once the writer is there. Rejects with a `Fault`, or `ClientGone`. */
  read(id: string, call: TransferCall): Promise<Response> {
    return this.#attach(id, call, "reader");
  }

  /** Answers once the reader has everything. Rejects with a `Fault`, or `ClientGone`. */
  write(id: string, call: TransferCall): Promise<Response> {
    return this.#attach(id, call, "writer");
  }

  state(): TransferState {
    return toTransferState({
      waiting: this.#channels.waiting,
      capacity: this.#options.config.transferMaxChannels,
      isDraining: this.#isDraining,
      figures: this.#figures,
      running: this.#flows.all(),
      runningCount: this.#flows.size,
    });
  }

  /** The figures of this moment. Measures the rate of each transfer as well, so it MUST be called once a second. */
  pulse(): Pulse {
    this.#flows.measure();
    // No failures are reported: a transfer can only fail through one of its clients.
    return { requests: this.#figures.endedTotal, bytes: this.#figures.bytes };
  }

  get revision(): number {
    return this.#figures.changes + this.#figures.bytes;
  }

  /** Opens no channel, refuses the sides that wait, and resolves when the last transfer has ended. */
  async drain(): Promise<void> {
    this.#refuseWaiting();
    await this.#flows.allEnded();
  }

  /** Breaks off the transfers that are left. */
  close(): void {
    this.#refuseWaiting();
    this.#flows.close();
  }

  #refuseWaiting(): void {
    this.#isDraining = true;
    this.#channels.refuseWaiting(drainingFault);
    this.#far?.refuseAll(drainingFault);
  }

  /** Ends the requests of each made key for which `judge` returns an error; those without an answer get it. */
  endRequests(judge: (keyId: string) => Fault | undefined): void {
    for (const { keyId, end } of [...this.#keyed]) {
      const fault = keyId === undefined ? undefined : judge(keyId);
      if (fault) end(fault);
    }
    this.#flows.endOf(judge);
  }

  #assertTaking(): void {
    if (this.#isDraining) throw drainingFault();
  }

  /** Returns the other servers that may have a channel; undefined if it can only be this server's. */
  #elsewhere(id: string): { readonly far: FarTransfers; readonly owners: readonly string[] } | undefined {
    const far = this.#far;
    if (!far || this.#channels.has(id)) return undefined;
    const owners = far.ownersOf(id);
    return owners.length === 0 ? undefined : { far, owners };
  }

  #attach(id: string, call: TransferCall, role: Role): Promise<Response> {
    const { caller, visit } = call;
    const { request } = visit;
    return new Promise((resolve, reject) => {
      let hasLeft = false;
      const settled = (): void => {
        request.signal.removeEventListener("abort", leave);
        this.#keyed.delete(keyed);
      };
      const end: LocalEnd = {
        kind: "local",
        ...call,
        get hasLeft() {
          return hasLeft;
        },
        answer(response) {
          settled();
          resolve(response);
        },
        refuse(reason) {
          settled();
          caller.leave();
          reject(reason);
        },
      };
      const endWith = (reason: unknown): void => {
        hasLeft = true;
        settled();
        this.#channels.leave(id, end);
        this.#far?.leave(end);
        caller.leave();
        reject(reason);
      };
      const leave = (): void => endWith(new ClientGone("it left while it waited for the other side"));
      const keyed: Keyed = { keyId: caller.keyId, end: endWith };
      if (caller.keyId !== undefined) this.#keyed.add(keyed);
      // Channels are made for slow sides and long waits; the passage watches for stalls.
      caller.linger();
      request.signal.addEventListener("abort", leave);
      try {
        this.#assertTaking();
        // A side that waited for its limit would let the other side wait for it.
        const fault = this.#options.charges?.takeRequest(caller);
        if (fault) throw fault;
        this.#enter(id, role, end);
      } catch (error) {
        settled();
        caller.leave();
        throw error;
      }
      // A signal that is aborted already fires no event.
      if (request.signal.aborted) leave();
    });
  }

  #enter(id: string, role: Role, end: LocalEnd): void {
    const elsewhere = this.#elsewhere(id);
    if (elsewhere) elsewhere.far.join({ id, role, end }, elsewhere.owners);
    else if (role === "reader") this.#channels.read(id, end);
    else this.#channels.write(id, end);
  }

  #joined(joined: Joined<End, End>, id: string): void {
    const { reader, writer } = joined;
    if (reader.kind === "local" && writer.kind === "local")
      this.#flows.join(reader, writer, id, () => this.#channels.finish(id));
    else void this.#far?.introduce(id, joined);
  }
}
