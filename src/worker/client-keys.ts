import type { CloseName } from "../wire/closes.ts";
import type { KeyFields, LinkKeys } from "./link-keys.ts";

/**
 * The client keys that a worker sends: the key and, while it is being replaced, the previous one. Both go into the first
 * message of each link, so a server that knows either of them lets the worker in, and one that knows both lets it keep
 * its id.
 */
export class ClientKeys implements LinkKeys {
  #keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  fields(): KeyFields {
    const [key, previous] = this.#keys;
    return { client_key: key, ...(previous === undefined ? {} : { previous_client_key: previous }) };
  }

  /** A link has ended. After a refusal the keys change places, for a server that does not read the previous key. */
  handleClosed(name: CloseName | undefined): void {
    if (name === "unauthorized" || name === "too_many_wrong_keys") this.#keys = this.#keys.toReversed();
  }
}
