import type { CloseName } from "../wire/closes.ts";
import type { Registered } from "../wire/server-messages.ts";

/** The fields of a first message that show who the worker is. */
export interface KeyFields {
  readonly client_key?: string | undefined;
  readonly previous_client_key?: string | undefined;
  readonly join_token?: string | undefined;
  readonly join_proof?: string | undefined;
  readonly join_ids?: readonly string[] | undefined;
}

/** What the links of one kind, or of one relay, show to the server. */
export interface LinkKeys {
  /** Resolves when the next link may be dialled; undefined: at once. Called before each link. */
  turn?(): Promise<void> | undefined;
  /** Makes the fields of the next link's first message. */
  fields(): KeyFields;
  /** The server has answered a registration. */
  handleRegistered?(registered: Pick<Registered, "credential">): void;
  /** A link has ended. */
  handleClosed(name: CloseName | undefined): void;
  /** Returns what the operator can do about the end of a link, where that is not what the table of closes says. */
  hint?(name: CloseName | undefined): string | undefined;
}
