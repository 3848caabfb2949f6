import { Fault } from "../errors.ts";
import type { Clock, Log } from "../system/deps.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import type { ConnectorRelays, ConnectorTokens, Granted, Holders } from "./connector.ts";
import { type GrantRecord, grantIdOf, grantNameOf, readGrant } from "./grant-record.ts";
import { GrantUses } from "./grant-uses.ts";
import { createGrants, type Grants, toHolder } from "./grants.ts";
import { createKv, type Kv } from "./kv.ts";
import { type Library, loadLibrary, OAuthServers } from "./library.ts";
import type { OAuthKeep, SharedOAuth } from "./oauth-records.ts";
import { OAuthTable } from "./oauth-table.ts";
import { isUsableOrigin, readResource, resourcesOf } from "./resource.ts";
import { makeRoom } from "./room.ts";

export interface OAuthOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long an access token is valid. */
  readonly tokenLifeMs: number;
  /** How long a grant lasts that is not used. */
  readonly grantIdleMs: number;
  /**
   * The issuer whose users may be holders, as `Holder` names it; undefined where none may. Grants that users gave under another one are
   * not valid.
   */
  readonly issuer: string | undefined;
  readonly keep?: OAuthKeep | undefined;
  readonly shared?: SharedOAuth | undefined;
  /** See `KvParts.clientAt`. */
  readonly clientAt?: ((url: string) => Promise<string | undefined>) | undefined;
  readonly relays: () => ConnectorRelays;
  readonly holders: () => Holders;
}

/**
 * The authorization server for connector relays: its records, and the library that speaks OAuth. The library is loaded when it is
 * first needed.
 */
export class OAuth implements ConnectorTokens {
  readonly table: OAuthTable;
  readonly grants: Grants;
  readonly uses: GrantUses;
  readonly options: OAuthOptions;
  readonly #refusals: RepeatedLines;
  #loading: Promise<{ readonly library: Library; readonly servers: OAuthServers }> | undefined;

  constructor(options: OAuthOptions) {
    this.options = options;
    const { clock, log, keep, shared, relays } = options;
    this.table = new OAuthTable({ clock, keep, shared });
    this.uses = new GrantUses(this.table, clock, options.grantIdleMs);
    this.grants = createGrants(this.table, this.uses, options.grantIdleMs);
    this.#refusals = new RepeatedLines({ clock, write: (fields) => log.info("oauth.refused", fields) });
    this.table.onRemoved(({ name }) => {
      if (name.startsWith("grant:")) relays().endGrant(grantIdOf(name));
    });
  }

  /**
   * Whether there is anything to sign in for, or may be, by records that were not read yet. Without it, clients find no authorization
   * server here.
   */
  get isInUse(): boolean {
    return (
      this.table.isUnread ||
      this.table.count("client") > 0 ||
      this.table.count("grant") > 0 ||
      this.options.relays().isAny
    );
  }

  /** Whether the id of a client may be the URL of a document that describes it. */
  get takesDocuments(): boolean {
    return this.options.clientAt !== undefined;
  }

  /** Returns the library and its servers. */
  loaded(): Promise<{ readonly library: Library; readonly servers: OAuthServers }> {
    this.#loading ??= loadLibrary().then((library) => ({ library, servers: this.#serversOf(library) }));
    return this.#loading;
  }

  /** Creates the view of the records for one request. */
  kv(): Kv {
    const { clock, clientAt = noClient } = this.options;
    return createKv({
      table: this.table,
      now: () => clock.now(),
      clientAt,
      makeRoom: (name) => makeRoom(this.table, name),
    });
  }

  async verify(resource: string, token: string): Promise<Granted | undefined> {
    const relay = readResource(resource);
    const name = this.hasForm(token) ? grantNameOf(token) : undefined;
    if (!relay || name === undefined || !isUsableOrigin(relay.origin)) return undefined;
    if (this.table.isUnread) throw new Fault("key_not_confirmed", { message: UNREAD, retryAfterS: 5 });
    // The record of a token outlives that of its grant if both are written and removed at the same time.
    const row = await this.table.heard(name);
    const grant = row && readGrant(row);
    if (!grant) return undefined;
    const { servers } = await this.loaded();
    const summary = await servers.at(relay.origin, relay.relayId, this.kv()).helpers.unwrapToken(token);
    const isForIt = resourcesOf(relay).some((each) => each === summary?.audience);
    if (!summary || !isForIt || summary.expiresAt * 1000 <= this.options.clock.now()) return undefined;
    const { holder, client } = grant.metadata;
    if (holder.kind === "oidc" && !this.#isUsersGrantValid(grant, holder.issuer)) return undefined;
    this.uses.note(grant);
    return { grantId: grant.id, clientName: client, holder: toHolder(holder) };
  }

  hasForm(token: string): boolean {
    return TOKEN_FORM.test(token);
  }

  isOurs(token: string): boolean {
    const name = this.hasForm(token) ? grantNameOf(token) : undefined;
    return name !== undefined && (this.table.isUnread || this.table.get(name) !== undefined);
  }

  get isWithoutKeys(): boolean {
    return this.options.issuer !== undefined;
  }

  metadataFor(resource: string, origin: string): object | undefined {
    if (!isUsableOrigin(origin)) return undefined;
    const name = readResource(resource)?.relayId ?? "";
    return {
      resource,
      authorization_servers: [origin],
      bearer_methods_supported: ["header"],
      resource_name: this.options.relays().find(name)?.name || name,
    };
  }

  close(): void {
    this.table.close();
  }

  #serversOf(library: Library): OAuthServers {
    const { tokenLifeMs, grantIdleMs } = this.options;
    return new OAuthServers(library, {
      tokenLifeS: Math.ceil(tokenLifeMs / 1000),
      grantIdleS: Math.ceil(grantIdleMs / 1000),
      onRefused: ({ category, reason }) =>
        this.#refusals.note(`${category} ${reason}`, { part: category, reason }, { part: category, reason: "others" }),
      mayRefresh: (grantId, userId) => this.#mayRefresh(`grant:${userId}:${grantId}`),
    });
  }

  /**
   * Whether a grant of a user of the issuer is valid. The issuer does not say when a user loses the claim, so each user has to sign in
   * again after a while, however much the grant is used.
   */
  #isUsersGrantValid(grant: GrantRecord, issuer: string): boolean {
    const { clock, grantIdleMs, issuer: current } = this.options;
    return issuer === current && clock.now() < grant.createdAt * 1000 + grantIdleMs;
  }

  /** Whether the holder of a grant is still somebody who may have one, as far as that does not depend on the relay. */
  #mayRefresh(name: string): boolean {
    const row = this.table.get(name);
    const grant = row && readGrant(row);
    if (!grant) return false;
    const { holder, relay: id } = grant.metadata;
    if (holder.kind === "oidc") return this.#isUsersGrantValid(grant, holder.issuer);
    const relay = { id, name: "", restricts: true, tenants: undefined };
    return this.options.holders().accessOf(toHolder(holder), relay).kind !== "ended";
  }
}

const UNREAD =
  "This server has not reached the records of its cluster since its start, so it does not know this token yet. Try again shortly.";

/** A code, an access token or a refresh token: whose it is, the grant, and 190 random bits. */
const TOKEN_FORM = /^[0-9a-f]{24}:[\w-]{16}:[\w-]{32,64}$/;

function noClient(): Promise<undefined> {
  return Promise.resolve(undefined);
}
