import type { PoolMembership } from "../../plugin/cluster.ts";
import type { Demand } from "../../pool/directory.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Clock } from "../../system/deps.ts";
import { HTTP_KIND } from "../../wire/names.ts";
import type { RemoteDirectory } from "../copies/remote-directory.ts";
import type { Links } from "../links/links.ts";
import type { OfferCounts } from "../offers/offering.ts";
import { Offers } from "../offers/offers.ts";
import type { Owner } from "../offers/owners.ts";
import type { Presence } from "../presence/presence.ts";
import { ServiceNews } from "../sharing/shared-service.ts";
import type { Tells } from "../tells.ts";
import { JobCounts } from "./job-counts.ts";
import { PeerJobs } from "./peer-jobs.ts";
import { PeerSlot, type PeerSlotHost } from "./peer-slot.ts";
import { PeerWorks } from "./peer-works.ts";
import { workMessage } from "./work-message.ts";
import { WorkTeller } from "./work-teller.ts";

export interface ClusterPoolsOptions {
  readonly clock: Clock;
  readonly presence: Pick<Presence, "join" | "tellLoad">;
  readonly links: Pick<Links, "linkTo" | "serve">;
  readonly tells: Tells;
  /** Returns a number from 0 to 1. */
  readonly random: () => number;
}

type OnPeerWork = Parameters<PoolMembership["begin"]>[1];

/** The pools of this server's plugins, as members of the cluster: they send jobs to peers, and serve jobs of peers. */
export class ClusterPools {
  /** The jobs that have crossed servers. */
  readonly counts = new JobCounts();
  readonly #options: ClusterPoolsOptions;
  readonly #offers: Offers;
  readonly #service: ServiceNews;
  readonly #outcomes: Readonly<OfferCounts>[] = [];
  readonly #works = new Map<string, { readonly peers: PeerWorks; readonly teller: WorkTeller }>();

  constructor(options: ClusterPoolsOptions) {
    this.#options = options;
    const { clock, tells, random } = options;
    this.#offers = new Offers({ clock, tells, random });
    this.#service = new ServiceNews(clock, tells);
    tells.on("work", workMessage, (peer, { pool, jobs }) => this.#works.get(pool)?.peers.onNews(peer, jobs));
  }

  /** Lets the pool of a plugin take part. */
  join(pluginId: string): PoolMembership {
    const { clock, tells, links, presence } = this.#options;
    let member: { readonly pool: Pool; readonly onPeerWork: OnPeerWork } | undefined;
    const poolOf = (): Pool => {
      if (!member) throw new Error(`the pool of ${pluginId} was used before it began`);
      return member.pool;
    };
    const peers = new PeerWorks({ clock, onCounted: (claim, work) => member?.onPeerWork(claim, work) });
    const teller = new WorkTeller({ name: pluginId, clock, send: (peer, message) => tells.to(peer, message) });
    this.#works.set(pluginId, { peers, teller });
    const host: PeerSlotHost = {
      pluginId,
      clock,
      works: teller,
      counts: this.counts,
      sessionTo: (peer) => links.linkTo(peer)?.session,
    };
    const directory = presence.join(
      pluginId,
      ({ group, needs }) => new PeerSlot(host, { server: group.peer.id, group, workerId: needs.workerId }),
    );
    const offers = this.#offers.join(pluginId, {
      pool: {
        get peers() {
          return poolOf().peers;
        },
      },
      ownersOf: (demand) => ownersOf(directory, poolOf().peers.namesFor(demand), demand, clock.elapsed()),
      hold: ({ peer, slot, offer: { model, sent_as, worker } }) =>
        new PeerSlot(host, { server: peer, group: { model, sentAs: sent_as }, workerId: worker.id, slot }),
    });
    this.#outcomes.push(offers.outcomes);
    return {
      remotes: { models: directory, queue: offers },
      begin: (pool, onPeerWork) => {
        member = { pool, onPeerWork };
        presence.tellLoad(pluginId, pool.load);
        this.#service.join(pluginId, pool);
        links.serve(
          HTTP_KIND,
          new PeerJobs({ pool, works: peers, counts: this.counts, takeOffered: offers.take }),
          pluginId,
        );
        directory.onOffers(() => {
          pool.peers.onRemotesChange(pool.load.waiting().map(({ demand }) => demand.model));
          offers.ownersChanged();
        });
      },
    };
  }

  /** Free slots that were offered to peers, by how the offers ended. */
  get offers(): OfferCounts {
    const sum = { taken: 0, declined: 0, late: 0, lost: 0 };
    for (const { taken, declined, late, lost } of this.#outcomes) {
      sum.taken += taken;
      sum.declined += declined;
      sum.late += late;
      sum.lost += lost;
    }
    return sum;
  }

  close(): void {
    for (const { teller } of this.#works.values()) teller.close();
    this.#offers.close();
    this.#service.close();
  }
}

/** Lists the peers with workers for a demand, to which jobs can be sent. `now` is `Clock.elapsed`. */
function ownersOf(
  directory: RemoteDirectory,
  models: readonly string[],
  { workerId, exchangeKind, tenant }: Demand,
  now: number,
): Iterable<Owner> {
  const only = workerId === undefined ? undefined : directory.serverOf(workerId);
  const owners = new Map<string, { peer: string; slots: number; free: number; isNear: boolean }>();
  for (const model of models) {
    for (const group of directory.groupsOf(model)) {
      const { peer, slots } = group;
      if (!peer.isReachable || !group.takes({ exchangeKind, tenant })) continue;
      if (workerId !== undefined && peer.id !== only) continue;
      const known = owners.get(peer.id) ?? { peer: peer.id, slots: 0, free: 0, isNear: peer.isNear };
      owners.set(peer.id, known);
      known.slots += slots;
      known.free += Math.max(0, group.free(now));
    }
  }
  return owners.values();
}
