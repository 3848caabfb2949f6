import * as v from "valibot";
import { countField } from "../wire/fields.ts";

/** The versions of a protocol that a server speaks, from the oldest to the newest. */
export type Versions = readonly [oldest: number, newest: number];

/** The protocols between servers, with the versions that a server speaks. */
export interface Spoken {
  /** The messages about which servers are there and what they have. */
  readonly gossip: Versions;
  /** The frames on links. */
  readonly link: Versions;
}

/** The versions that this program speaks. */
export const SPOKEN: Spoken = { gossip: [1, 1], link: [1, 1] };

const versionField = countField(1_000_000);

/** The versions that another server says it speaks. */
export const versionsField = v.pipe(
  v.tuple([versionField, versionField]),
  v.check(([oldest, newest]) => oldest <= newest),
);

/** Returns the highest version that both servers speak; undefined if there is none. */
export function commonVersion(a: Versions, b: Versions): number | undefined {
  const highest = Math.min(a[1], b[1]);
  return highest >= Math.max(a[0], b[0]) ? highest : undefined;
}
