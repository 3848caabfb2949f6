import type { HostInfo, Parsed, Registered } from "../wire/worker-messages.ts";
import type { Dialect } from "./dialect.ts";
import type { Offer } from "./session.ts";

/** Who connects, and what for, as its first message says: all of it untrusted, none of it beyond its bounds. */
export interface Hello {
  readonly clientKey: string | undefined;
  /** Undefined: the server makes one. */
  readonly workerId: string | undefined;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly hostInfo: HostInfo;
  readonly offer: Offer;
}

/** How peers of one kind introduce themselves: the little in which their links differ. */
export interface Greeting {
  /** Reads the first message. The reason of a refusal never repeats a value. */
  parse(text: string): Parsed<Hello>;
  /** The answer to it in one dialect; undefined where that dialect expects none. */
  answer(dialect: Dialect["name"], registered: Registered): object | undefined;
  createLegacyDialect(): Dialect;
}
