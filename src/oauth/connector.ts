import type { Visit } from "../http/visit.ts";
import type { McpRules } from "../wire/mcp-call.ts";

// Where callers of connector relays, the keys behind them and the authorization server meet. A connector relay leaves it to
// this server to find out who calls.

/** Who has granted a client access, and in whose name it calls. */
export type Holder =
  | {
      readonly kind: "key";
      /**
       * Stands for the secret that the holder sent. It names the same secret after a restart and on every server, and nobody once that
       * secret is no longer valid. It may be stored, and MUST NOT be shown or logged: see `ownerName`.
       */
      readonly owner: string;
      /** The id of the key; undefined for a key of the configuration. */
      readonly keyId: string | undefined;
      /** The name of its caller in logs: `key:7f3kq2m9x0ab`. */
      readonly name: string;
    }
  | {
      readonly kind: "oidc";
      /** The issuer with the settings under which the user signed in: see `oidcCallerOwner`. */
      readonly issuer: string;
      /** The user at the issuer: its claim `sub`. */
      readonly subject: string;
      /** The name of its caller in logs: `oidc:ann@example.com`, as `userName` makes it. */
      readonly name: string;
    };

/** What a valid access token stands for. */
export interface Granted {
  readonly grantId: string;
  /** The name of the client that calls; cleaned. */
  readonly clientName: string;
  readonly holder: Holder;
}

/** The authorization server, as connector relays use it. `AuthOptions.connectorTokens` gives it to the doors. */
export interface ConnectorTokens {
  /**
   * Returns what an access token stands for at the relay of this URL; undefined for one that is invalid, expired, revoked or for
   * another relay. `resource` is the URL that was called: `<origin>/api/mcp/id/<id>`, with `/mcp` behind it or without. Never
   * rejects for anything that the caller has sent. MUST NOT judge the holder's key: the door does that for each call.
   */
  verify(resource: string, token: string): Promise<Granted | undefined>;
  /**
   * Whether a text has the form of this server's access tokens. Such a text is no guess: nobody can guess one, and programs send those
   * that have expired.
   */
  hasForm(token: string): boolean;
  /** Whether a text is a code or a token of a grant that is not over, for whatever relay. */
  isOurs(token: string): boolean;
  /** Whether people can sign in without a key of this server: through its issuer. */
  readonly isWithoutKeys: boolean;
  /**
   * Returns the protected-resource metadata (RFC 9728) of the relay of this URL, for callers who know this server by `origin`. Undefined
   * for an origin at which nobody can sign in: one with http that is not this machine.
   */
  metadataFor(resource: string, origin: string): object | undefined;
}

/** What one relay is for people who decide about access to it. */
export interface ConnectorRelay {
  readonly id: string;
  /** What its owner calls it; cleaned. Empty if the owner says nothing, or if it is connected to another server. */
  readonly name: string;
  /** Whether it can restrict callers to some tools. One that cannot serves only keys without such rules. */
  readonly restricts: boolean;
  /** The only tenants whose callers it serves; undefined for all of them. */
  readonly tenants: readonly string[] | undefined;
}

/** The connector relays that are connected, here or at another server of the cluster. `Plugin.connectors` of the plugin for MCP. */
export interface ConnectorRelays {
  /** Whether any connector relay is connected. */
  readonly isAny: boolean;
  /** Returns the connector relay of this id; undefined if there is none now, or if the relay has another kind of access. */
  find(relayId: string): ConnectorRelay | undefined;
  /** Ends the running calls that a grant has begun at this server, after it was revoked. */
  endGrant(grantId: string): void;
}

/** What a holder may use of one relay now. */
export type HolderAccess =
  /** `rules` is undefined for a holder that may use everything. */
  | { readonly kind: "allowed"; readonly rules: McpRules | undefined }
  /** The key may not use the relay, so that for its holder the relay does not exist. */
  | { readonly kind: "no_relay" }
  /** The key is restricted, and the relay cannot restrict callers. */
  | { readonly kind: "cannot_restrict" }
  /** The key was revoked, rotated away, or has expired. Its grants are to be removed. */
  | { readonly kind: "ended" }
  /** It cannot be told now whether the key is valid, because the cluster's records cannot be reached. */
  | { readonly kind: "not_confirmed" };

/** Keys of callers, for the page on which people let a client in. `Auth.connectors` is one. */
export interface Holders {
  /**
   * Returns the holder of a client's key. Throws as the door of the API does: `invalid_api_key`, `key_expired`, `key_revoked`,
   * `key_rotated` or `too_many_auth_failures`. A wrong key counts against its address.
   */
  holderOf(visit: Visit, key: string): Holder;
  /** Returns what a holder may use of a relay now. */
  accessOf(holder: Holder, relay: ConnectorRelay): HolderAccess;
}
