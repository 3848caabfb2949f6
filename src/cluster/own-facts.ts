import type { Greeting } from "./gossip.ts";
import type { LoadReport } from "./load-report.ts";
import type { Spoken, Versions } from "./versions.ts";

/** What a beat says of this server, apart from what the presence knows itself. */
export interface OwnFacts {
  readonly region: string | undefined;
  readonly version: string;
  /** A digest of all keys of clients and workers. */
  keys(): string;
  /** Where this server takes links, as `host:port`; undefined if it takes none. */
  address(): string | undefined;
  readonly linkKey: string | undefined;
  /** What people see of its load; undefined while nothing is known of it. */
  load(): LoadReport | undefined;
}

/** A greeting as it is written. */
export type Said = {
  readonly [K in keyof Greeting]: K extends "gossip" | "link" ? Versions : K extends "load" ? unknown : Greeting[K];
};

/** Returns these facts as a greeting says them. */
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
