import type { RemoteGroup, RemoteNeeds } from "../../pool/remotes.ts";
import { HTTP_ALONE } from "../../tunnel/session.ts";
import type { HostInfo } from "../../wire/worker-messages.ts";
import { type GroupRow, KEPT_ALIVE, LOADED, type LoadRow } from "../gossip/rows.ts";

/** How long a peer that has refused a job is not asked again for the same group, unless it announces a free slot before. */
const REST_MS = 250;

/** The peer of a group, as the directory sees it. */
export interface PeerSight {
  readonly id: string;
  /** Whether its workers take jobs, busy or not, as far as is known. */
  readonly takesJobs: boolean;
  /** Whether a job can be sent to it now. */
  readonly isReachable: boolean;
  /** Whether it is in the same region, or so close that it makes no difference. */
  readonly isNear: boolean;
  /** Milliseconds to it and back; undefined until they are measured. */
  readonly rttMs: number | undefined;
}

/** Workers of a peer for which a request is written in the same way, and what is known of their load. */
export class PeerGroup implements RemoteGroup {
  readonly peer: PeerSight;
  readonly row: GroupRow;
  readonly exchangeKinds: readonly string[];
  readonly tenantSet: ReadonlySet<string> | undefined;
  #load: LoadRow;
  /** When jobs were sent (`Clock.elapsed`) that the peer's last announced load does not include. */
  #sent: number[] = [];
  #restsUntil = 0;

  constructor(peer: PeerSight, row: GroupRow) {
    this.peer = peer;
    this.row = row;
    this.exchangeKinds = row.kinds ?? HTTP_ALONE;
    this.tenantSet = row.tenants && new Set(row.tenants);
    this.#load = [row.number, 0, 0, 0, 0, 0, 0, 0];
  }

  get model(): string {
    return this.row.model;
  }

  get sentAs(): string | undefined {
    return this.row.sentAs;
  }

  get hostInfo(): HostInfo {
    return this.row.hostInfo;
  }

  get workers(): number {
    return this.#load[1];
  }

  /** The slots of the workers that are ready, held or free. */
  get slots(): number {
    return this.#load[2];
  }

  /** Jobs that wait at the peer for the model, and how long the oldest has waited there. */
  get waiting(): { readonly count: number; readonly oldestMs: number } {
    return { count: this.#load[4], oldestMs: this.#load[5] };
  }

  get embeddingBatchSize(): number | undefined {
    return this.#load[6] || undefined;
  }

  get isLoaded(): boolean {
    return (this.#load[7] & LOADED) !== 0;
  }

  get isKeptAlive(): boolean {
    return (this.#load[7] & KEPT_ALIVE) !== 0;
  }

  get tenants(): readonly string[] | undefined {
    return this.row.tenants;
  }

  /** Whether the workers of the group serve the caller's tenant and take the kind of exchange that is needed. */
  takes({ exchangeKind, tenant, ownOnly }: Pick<RemoteNeeds, "exchangeKind" | "tenant" | "ownOnly">): boolean {
    const { tenants } = this.row;
    if (tenants && tenant !== undefined && !tenants.includes(tenant)) return false;
    if (ownOnly && !tenants) return false;
    return exchangeKind === undefined || this.exchangeKinds.includes(exchangeKind);
  }

  /** Returns the slots that are free, as far as is known here. `now` is `Clock.elapsed`. */
  free(now: number): number {
    if (now < this.#restsUntil) return 0;
    return this.#load[3] - this.#sent.length;
  }

  /** Takes in the load that the peer has announced. It does not include jobs that are still on their way. */
  update(load: LoadRow, now: number): void {
    this.#load = load;
    const onTheWay = now - (this.peer.rttMs ?? 0);
    this.#sent = this.#sent.filter((at) => at > onTheWay);
    if (load[3] > 0) this.#restsUntil = 0;
  }

  /** Counts a job that is sent to the group at `now`. */
  hold(now: number): void {
    this.#sent.push(now);
  }

  /** Gives back the slot of a job that was sent at `heldAt`. */
  release(heldAt: number): void {
    // A job that the peer's load includes is no longer in the list.
    const index = this.#sent.indexOf(heldAt);
    if (index >= 0) this.#sent.splice(index, 1);
  }

  /** Does the same for a job that the peer has refused at `now`. */
  refuse(heldAt: number, now: number): void {
    this.release(heldAt);
    this.#restsUntil = now + REST_MS;
  }
}
