import type { OAuthRow } from "./oauth-records.ts";
import type { OAuthTable } from "./oauth-table.ts";

/**
 * A write that was refused, because another request has changed the record meanwhile, or because there is no way to write it; or a
 * client whose document cannot be had now.
 */
export class KvFault extends Error {
  override readonly name = "KvFault";
  readonly reason: "conflict" | "away" | "full" | "document";

  constructor(reason: KvFault["reason"]) {
    super(reason);
    this.reason = reason;
  }
}

interface PutOptions {
  /** Seconds from now. */
  readonly expirationTtl?: number;
  /** Seconds since 1970. */
  readonly expiration?: number;
}

interface ListOptions {
  readonly prefix?: string;
}

/** The key-value store that the OAuth library writes to, as far as it uses it. */
export interface Kv {
  get(name: string, options?: { readonly type?: string }): Promise<unknown>;
  put(name: string, value: string, options?: PutOptions): Promise<void>;
  delete(name: string): Promise<void>;
  list(
    options: ListOptions,
  ): Promise<{ readonly keys: readonly { readonly name: string }[]; readonly list_complete: true }>;
}

/** What the key-value store of one request is made of. */
export interface KvParts {
  readonly table: OAuthTable;
  readonly now: () => number;
  /**
   * Returns the record of a client whose id is the URL of a document; undefined for one that is not valid. Rejects with a `KvFault` if
   * the document cannot be had now.
   */
  readonly clientAt: (url: string) => Promise<string | undefined>;
  /** Makes room for a record that is new. Returns whether there is room. */
  readonly makeRoom: (name: string) => boolean;
}

/**
 * Creates the key-value store for one request. The library reads a record and later writes it, and takes no care of requests that do
 * so at the same time: two of them could use one authorization code. Here a write counts only if the record is as this request has
 * read it, and a transaction can be consumed once. Writes reject with a `KvFault`, and so do reads of a client's document.
 */
export function createKv({ table, now, clientAt, makeRoom }: KvParts): Kv {
  const read = new Map<string, string | undefined>();
  const find = async (name: string): Promise<string | undefined> => {
    if (name.startsWith(CLIENT_DOCUMENT)) return clientAt(name.slice("client:".length));
    const value = (await table.heard(name))?.value;
    read.set(name, value);
    return value;
  };
  return {
    async get(name, options) {
      const value = await find(name);
      if (value === undefined) return null;
      return options?.type === "json" ? (JSON.parse(value) as unknown) : value;
    },
    async put(name, value, options) {
      const row: OAuthRow = { name, value, expiresAt: endOf(options, now()) };
      const before = read.get(name);
      if (before === undefined && table.get(name) === undefined && !makeRoom(name)) throw new KvFault("full");
      const written = await table.put(row, before);
      if (written !== "written") throw new KvFault(written);
      read.set(name, value);
    },
    async delete(name) {
      const wasThere = await table.remove(name);
      if (wasThere === "away") throw new KvFault("away");
      if (!wasThere && name.startsWith("transaction:")) throw new KvFault("conflict");
    },
    async list({ prefix = "" }) {
      const kind = prefix.startsWith("grant:") ? "grant" : "token";
      const keys = [...table.rows(kind)].filter(({ name }) => name.startsWith(prefix)).map(({ name }) => ({ name }));
      return { keys, list_complete: true };
    },
  };
}

/** The beginning of the name under which the library looks for a client whose id is a URL. */
const CLIENT_DOCUMENT = "client:https://";

function endOf(options: PutOptions | undefined, now: number): number | undefined {
  if (options?.expirationTtl !== undefined) return now + options.expirationTtl * 1000;
  return options?.expiration === undefined ? undefined : options.expiration * 1000;
}
