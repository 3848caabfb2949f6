import { LINK_VERSIONS } from "../links/link-hello.ts";

/** The versions of a protocol that a server speaks, from the oldest to the newest. */
export type Versions = readonly [oldest: number, newest: number];

/** The protocols between servers, with the versions that this program speaks. */
export interface Spoken {
  /** The messages about which servers are there and what they have. */
  readonly gossip: Versions;
  /** The frames on links. */
  readonly link: Versions;
}

export const SPOKEN: Spoken = { gossip: [1, 1], link: LINK_VERSIONS };
