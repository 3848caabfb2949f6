import type { Joined, Joining, JoinRefusal, JoinRequest } from "../auth/joining.ts";
import { Fault } from "../errors.ts";
import type { Clock, Log } from "../system/deps.ts";
import type { KeyBook, MadeKey } from "./key-book.ts";
import { callerName, ownerOfKey, readOwner, toKeyRecord } from "./key-caller.ts";
import { isUsedUp, usesAfter } from "./key-changes.ts";
import type { KeyEntry } from "./key-entry.ts";
import { endOf } from "./key-source.ts";
import type { KeySpec } from "./key-spec.ts";
import { keyHash } from "./key-text.ts";
import type { KeyWriter } from "./key-writer.ts";
import { toName } from "./spec-fields.ts";

/** A worker that has joined again, and uses its new key. */
export interface ReplacedNote {
  /** The key that the worker had before, which is revoked. */
  readonly former: KeyEntry;
  readonly key: KeyEntry;
}

/** A worker that has got a key for a token. */
export interface JoinNote {
  readonly token: KeyEntry;
  readonly key: KeyEntry;
  readonly address: string | undefined;
}

export interface JoinDeskOptions {
  readonly book: KeyBook;
  /** Changes keys on all servers. Returns undefined for a server that makes no keys. */
  readonly writer: () => Pick<KeyWriter, "create" | "rotate" | "revoke" | "amend"> | undefined;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** Whether keys that are made survive a restart. No token is traded otherwise. */
  readonly isKept: () => boolean;
  /** Whether a key that is made now might be lost at a restart, so that none is made. Absent: no. */
  readonly isFailing?: () => boolean;
  /** The most valid keys that one token may have made; 2,000 unless given. */
  readonly maxKeys?: number;
  /** Called for each trade that made a key, and not for its repetitions. */
  readonly onJoined?: (note: JoinNote) => void;
  /** Called for each key that was revoked because its worker has another one. */
  readonly onReplaced?: (note: ReplacedNote) => void;
}

/** A tenth of the valid keys that a server may have, so that a token which has leaked does not use up the room for others. */
const MAX_KEYS = 2000;

/** No use of the token is left. */
class UsedUp extends Error {}

/**
 * Trades join tokens for keys of workers. A trade is one worker's proof with one token: it counts one use, and makes one key,
 * however often and at whichever server the worker asks. So an answer that is lost on the way costs nothing. Once the key was
 * used, the worker has it, and the trade cannot be repeated any more. The key that the worker had got for an earlier token is
 * revoked then, and not before.
 */
export class JoinDesk implements Joining {
  readonly #options: JoinDeskOptions;

  constructor(options: JoinDeskOptions) {
    this.#options = options;
    options.book.onUse((entry) => {
      if (entry.replaces !== undefined) void this.#endFormer(entry, entry.replaces);
    });
  }

  async trade(request: JoinRequest, address: string | undefined): Promise<Joined> {
    const { log } = this.#options;
    try {
      return await this.#trade(request, address);
    } catch (error) {
      if (error instanceof UsedUp) return refuse("join_token_used_up");
      // Other servers cannot be asked now, so nobody knows whether a use is left.
      if (error instanceof Fault) log.warn("join.unavailable", { reason: error.message });
      else log.error("join.failed", { reason: error instanceof Error ? error.message : String(error) });
      return refuse("join_unavailable");
    }
  }

  async #trade(request: JoinRequest, address: string | undefined): Promise<Joined> {
    const { book, clock, isKept, isFailing, maxKeys = MAX_KEYS, onJoined, writer } = this.#options;
    const token = book.findByText(request.token);
    const keys = isKept() ? writer() : undefined;
    const refusal = book.joins.explain?.(request.token, keyHash(request.token));
    // Another server may have created it, or revoked it, while this one hears of nothing.
    if (refusal?.code === "key_not_confirmed") return refuse("join_unavailable");
    if (!keys || token?.kind !== "join") return refuse("join_token_unknown", token === undefined);
    if (isFailing?.()) return refuse("join_unavailable");
    if (refusal && refusal.code !== "key_expired") return refuse("join_token_revoked");
    const trade = keyHash(JSON.stringify([token.id, request.proof ?? crypto.randomUUID()]));
    const known = this.#keyOf(trade);
    // Nobody could be served by such a worker, so its key would be of no use.
    if ((known ?? token).tenants !== undefined && !request.knowsTenants) return refuse("tenants_not_known");
    if (known) return this.#again(known, trade, token, request);
    if (refusal) return refuse("join_token_expired");
    if (isUsedUp(token, trade) || this.#keysMadeFor(token) >= maxKeys) return refuse("join_token_used_up");
    if (!request.mayHaveId(undefined)) return refuse("id_in_use");
    await keys.amend(token.id, (entry) => {
      const uses = endOf(entry, clock.now()) === undefined ? usesAfter(entry, trade) : undefined;
      if (!uses) throw new UsedUp();
      return uses;
    });
    // Another link of the same worker may have been faster.
    const meanwhile = this.#keyOf(trade);
    if (meanwhile) return this.#again(meanwhile, trade, token, request);
    const replaces = this.#formerKeyOf(request);
    const made = await keys.create(specOf(token, trade, request, replaces), requestOf(token, trade));
    if (!made.isRepeat) onJoined?.({ token, key: made.entry, address });
    return toJoined(made);
  }

  /** Hands out the key of a trade again: with the same text while that is remembered, else with another secret. */
  async #again(key: KeyEntry, trade: string, token: KeyEntry, request: JoinRequest): Promise<Joined> {
    const { book } = this.#options;
    const keys = this.#options.writer();
    if (!keys || key.revokedAt !== undefined) return refuse("join_token_used_up");
    if (key.workerId !== request.workerId || !request.mayHaveId(ownerOfKey(key.id))) return refuse("id_in_use");
    if (key.lastUsedAt !== undefined) return refuse("join_token_used_up");
    const text = book.drafts.textOf(key, requestOf(token, trade));
    if (text !== undefined) return toJoined({ entry: key, text });
    return toJoined(await keys.rotate(key.id, 0, { by: callerName(token) }));
  }

  /**
   * Returns the id of the key that the worker had got for an earlier token, if it has shown that key now. A key that an operator
   * made may be that of other workers, too, and is never ended.
   */
  #formerKeyOf({ previousOwner, workerId }: JoinRequest): string | undefined {
    const named = previousOwner === undefined ? undefined : readOwner(previousOwner);
    const former = named && this.#options.book.get(named.id);
    return former?.kind === "worker" && former.trade !== undefined && former.workerId === workerId
      ? former.id
      : undefined;
  }

  /** Revokes the key that another one replaces. If that cannot be done now, a later use of the other one does it. */
  async #endFormer(key: KeyEntry, id: string): Promise<void> {
    const { book, log, onReplaced, writer } = this.#options;
    const former = book.get(id);
    const keys = writer();
    if (!keys || !former || former.revokedAt !== undefined || former.workerId !== key.workerId) return;
    try {
      const ended = await keys.revoke(id, { by: callerName(key) });
      if (ended.revokedBy === callerName(key)) onReplaced?.({ former: ended, key });
    } catch (error) {
      log.warn("join.former_not_ended", { key: id, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Counts the keys that were made for a token and are not revoked. */
  #keysMadeFor(token: KeyEntry): number {
    const by = callerName(token);
    return this.#options.book.list().filter(({ createdBy, revokedAt }) => createdBy === by && revokedAt === undefined)
      .length;
  }

  /** Finds the key that a trade has made. Trades are rare, so all keys may be looked at. */
  #keyOf(trade: string): KeyEntry | undefined {
    return this.#options.book.list().find((entry) => entry.trade === trade);
  }
}

function specOf(
  token: KeyEntry,
  trade: string,
  { workerId, otherIds, name }: JoinRequest,
  replaces: string | undefined,
): KeySpec {
  const { models, tenants, maxSlots } = token;
  const shown = (name === undefined ? undefined : toName(name)) ?? toName(workerId) ?? "worker";
  return {
    kind: "worker",
    terms: { name: shown, models, tenants, maxSlots, limits: {} },
    bound: {
      workerId,
      ...(otherIds.length > 0 && { otherIds }),
      trade,
      ...(replaces !== undefined && { replaces }),
    },
  };
}

function requestOf(token: KeyEntry, trade: string): { readonly by: string; readonly idempotencyKey: string } {
  return { by: callerName(token), idempotencyKey: trade };
}

function toJoined({ entry, text }: Pick<MadeKey, "entry" | "text">): Joined {
  const { owner, name, worker = {} } = toKeyRecord(entry, 0);
  return { ok: true, credential: text, owner, caller: name, terms: worker };
}

function refuse(refusal: JoinRefusal, isGuess = false): Joined {
  return { ok: false, refusal, isGuess };
}
