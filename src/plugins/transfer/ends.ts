import type { ActiveCaller } from "../../auth/caller.ts";
import type { Visit } from "../../http/visit.ts";
import type { Side } from "./channels.ts";

/** One admitted request of a client. */
export interface TransferCall {
  readonly visit: Visit;
  /** The caller. It MUST leave when the request has ended. */
  readonly caller: ActiveCaller;
}

export type Role = "reader" | "writer";

/** What the log says about a client. */
export interface EndFacts {
  readonly requestId: string;
  /** The caller's name. */
  readonly caller: string;
  readonly address: string | undefined;
}

/** A client of this server, with the answer that it waits for. */
export interface LocalEnd extends Side, TransferCall {
  readonly kind: "local";
  /** Whether the client has left. */
  readonly hasLeft: boolean;
  readonly answer: (response: Response) => void;
}

/** A client of another server, which is known there by a ticket. */
export interface RemoteEnd extends Side {
  readonly kind: "remote";
  readonly server: string;
  readonly ticket: string;
  readonly facts: EndFacts;
}

export type End = LocalEnd | RemoteEnd;

export function factsOf(end: End): EndFacts {
  if (end.kind === "remote") return end.facts;
  const { visit, caller } = end;
  return { requestId: visit.requestId, caller: caller.name, address: caller.address };
}
