import type { PeerStatus } from "../../state/cluster-facts.ts";
import type { PeerSight } from "../copies/peer-group.ts";
import { Replica, type ReplicaHost } from "../copies/replica.ts";
import type { Delta, Full, Greeting } from "../gossip/gossip.ts";
import type { Rows } from "../gossip/rows.ts";
import type { Link, PeerLinks } from "../links/link.ts";

/** The longest round trip, in milliseconds, to a peer in another region that still counts as near. */
const NEAR_RTT_MS = 20;
/** The most deltas that are kept while a snapshot is awaited. Past it the snapshot is asked for once more. */
const MAX_WAITING = 1000;

export interface PeerOptions {
  readonly host: ReplicaHost;
  readonly region: string | undefined;
  /** Undefined where servers have no links: all peers count as reachable then. */
  readonly links: Pick<PeerLinks, "linkTo"> | undefined;
}

/** Another server: what it says about itself, and a copy of what it has. */
export class Peer implements PeerSight {
  readonly id: string;
  readonly replica: Replica;
  /** What it said in its last beat. */
  greeting: Greeting;
  status: PeerStatus = "alive";
  /** Wall time at which the status began. */
  since: number;
  /** `Clock.elapsed` at which its present run was first heard of. */
  cameAt: number;
  /** `Clock.elapsed` and wall time at which anything was heard last. */
  heardAt: number;
  heardAtWall: number;
  /** `Clock.elapsed` at which it was heard over the bus last; undefined if it never was. */
  busHeardAt: number | undefined;
  clockAheadMs: number | undefined;
  saidGoodbye = false;
  /** `Clock.elapsed` at which its link broke; undefined if it was heard since. */
  lostAt: number | undefined;
  /** Whether a link existed when its state last changed. */
  hadLink = false;
  /** Whether a snapshot is being asked for. */
  isAsked = false;
  readonly #options: PeerOptions;
  /** The number of the last delta that the copy contains; undefined before the first snapshot. */
  #seq: number | undefined;
  #isBehind = true;
  #waiting: Delta[] = [];
  #parts: Full[] = [];

  constructor(greeting: Greeting, now: { readonly at: number; readonly elapsed: number }, options: PeerOptions) {
    this.id = greeting.from;
    this.greeting = greeting;
    this.since = now.at;
    this.cameAt = now.elapsed;
    this.heardAt = now.elapsed;
    this.heardAtWall = now.at;
    this.#options = options;
    this.replica = new Replica(this, options.host);
  }

  get epoch(): string {
    return this.greeting.epoch;
  }

  /** Whether the copy lacks something, so that a snapshot is needed. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Whether the copy has been complete at any time during the peer's present run. */
  get isKnown(): boolean {
    return this.#seq !== undefined;
  }

  get link(): Link | undefined {
    return this.#options.links?.linkTo(this.id);
  }

  /** Whether there is a link to it. */
  get isLinked(): boolean {
    const { link } = this;
    return link !== undefined && (link.state === "direct" || link.state === "lane");
  }

  get isPresent(): boolean {
    return this.status === "alive" || this.status === "suspect" || this.status === "draining";
  }

  get takesJobs(): boolean {
    return this.status === "alive" || (this.status === "suspect" && this.greeting.state === "ready");
  }

  get isReachable(): boolean {
    return this.status === "alive" && (!this.#options.links || this.link?.session !== undefined);
  }

  get isNear(): boolean {
    const { region } = this.#options;
    if (region !== undefined && region === this.greeting.region) return true;
    return (this.rttMs ?? Number.POSITIVE_INFINITY) < NEAR_RTT_MS;
  }

  get rttMs(): number | undefined {
    return this.link?.rttMs;
  }

  /** Takes in a beat. Returns whether the peer has begun a new run with it. */
  greet(greeting: Greeting): boolean {
    const isNew = greeting.epoch !== this.greeting.epoch;
    this.greeting = greeting;
    if (isNew) {
      this.forget();
      this.cameAt = this.#options.host.clock.elapsed();
      this.saidGoodbye = false;
      this.lostAt = undefined;
    } else if (this.#seq === undefined || greeting.seq > this.#seq) this.#isBehind = true;
    return isNew;
  }

  /** Takes in a delta. One that comes too early waits for a snapshot; one that was taken in before is ignored. */
  take(delta: Delta): void {
    if (!this.#isBehind && this.#seq !== undefined && delta.seq <= this.#seq) return;
    if (!this.#isBehind && delta.seq === (this.#seq ?? 0) + 1) {
      this.#seq = delta.seq;
      this.replica.apply(delta);
      return;
    }
    this.#isBehind = true;
    this.#waiting.push(delta);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
  }

  /** Takes in a part of a snapshot. Returns whether it has completed the copy. */
  takePart(part: Full): boolean {
    if (part.seq < (this.#seq ?? 0)) return false;
    const [first] = this.#parts;
    if (part.part === 0 || first?.seq !== part.seq) this.#parts = [];
    if (part.part !== this.#parts.length || part.part >= part.parts) return false;
    this.#parts.push(part);
    if (this.#parts.length < part.parts) return false;
    const parts = this.#parts;
    this.#parts = [];
    this.#seq = part.seq;
    this.replica.replace(joined(parts));
    this.#catchUp();
    return true;
  }

  /** Forgets the copy of what the peer has, apart from the owners of ids. */
  forget(): void {
    this.replica.clear();
    this.#seq = undefined;
    this.#isBehind = true;
    this.#waiting = [];
    this.#parts = [];
  }

  /** Takes in the deltas that came while the snapshot was awaited. */
  #catchUp(): void {
    const waiting = this.#waiting.toSorted((a, b) => a.seq - b.seq);
    this.#waiting = [];
    this.#isBehind = false;
    for (const delta of waiting) this.take(delta);
    if (!this.#isBehind && this.greeting.seq > (this.#seq ?? 0)) this.#isBehind = true;
  }
}

function joined(parts: readonly Full[]): Rows {
  return {
    workers: parts.flatMap(({ workers }) => workers),
    groups: parts.flatMap(({ groups }) => groups),
    load: parts.flatMap(({ load }) => load),
    models: parts.flatMap(({ models }) => models),
    left: parts.flatMap(({ left }) => left),
  };
}
