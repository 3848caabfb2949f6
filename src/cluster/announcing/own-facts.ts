import type { Greeting } from "../gossip/gossip.ts";
import type { LoadReport } from "../gossip/load-report.ts";
import type { Spoken, Versions } from "../versions.ts";

/** The facts in a beat that `Presence` does not know itself. */
export interface OwnFacts {
  readonly region: string | undefined;
  readonly version: string;
  /** A digest of all keys of clients and workers. */
  keys(): string;
  /** Where this server accepts links, as `host:port`; undefined if it accepts none. */
  address(): string | undefined;
  readonly linkKey: string | undefined;
  /** The load that operators see; undefined while it is unknown. */
  load(): LoadReport | undefined;
}

/** A greeting as it is written. */
export type Said = {
  readonly [K in keyof Greeting]: K extends "gossip" | "link" ? Versions : K extends "load" ? unknown : Greeting[K];
};

/** Returns these facts as members of a greeting. */
export function toSaid(
  own: OwnFacts,
  { gossip, link }: Spoken,
): Omit<Said, "from" | "epoch" | "seq" | "at" | "state" | "hears"> {
  return {
    version: own.version,
    gossip,
    link,
    keys: own.keys(),
    region: own.region,
    address: own.address(),
    link_key: own.linkKey,
    load: own.load(),
  };
}
