import type { Parsed } from "../wire/fields.ts";
import type { Registered } from "../wire/server-messages.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import type { Dialect } from "./dialect.ts";
import type { Offer } from "./session.ts";

/**
 * The identity and the offer of a connecting peer, from its first message. None of it is trusted, and all of it is
 * bounded.
 */
export interface Hello {
  readonly clientKey: string | undefined;
  /** The key that the peer had before, which proves that its id is its own. */
  readonly previousKey: string | undefined;
  /** The token with which it joins, and what goes with it; undefined for a peer that does not. */
  readonly join?: { readonly token: string; readonly proof: string | undefined; readonly ids: readonly string[] };
  /** Undefined: the server makes one. */
  readonly workerId: string | undefined;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly hostInfo: HostInfo;
  readonly offer: Offer;
}

/** Reads what a first message says about joining. */
export function joinIn(message: JoinFields): Pick<Hello, "join"> {
  const { join_token: token, join_proof: proof, join_ids: ids } = message;
  return token ? { join: { token, proof: proof || undefined, ids: ids ?? [] } } : {};
}

interface JoinFields {
  readonly join_token?: string | null | undefined;
  readonly join_proof?: string | null | undefined;
  readonly join_ids?: readonly string[] | null | undefined;
}

/** The introduction of one kind of peer: all that differs between the links of workers and of relays. */
export interface Greeting {
  /** Whether requests to a peer that has said this come from callers whose tenants are known. Absent: yes. */
  knowsTenants?(hostInfo: HostInfo): boolean;
  /** Reads the first message. MUST NOT repeat a value of it in the reason of a refusal. */
  parse(text: string, dialect: Dialect["name"]): Parsed<Hello>;
  /** Returns the answer to it in one dialect; undefined where that dialect expects none. */
  answer(dialect: Dialect["name"], registered: Registered): object | undefined;
  createLegacyDialect(): Dialect;
}
