import type { Joined, Joining, JoinRefusal, JoinRequest } from "../auth/joining.ts";
import { Fault } from "../errors.ts";
import type { Clock, Log } from "../system/deps.ts";
import { cleanText } from "../wire/clean-text.ts";
import type { KeyBook, MadeKey } from "./key-book.ts";
import { callerName, ownerOfKey, toKeyRecord } from "./key-caller.ts";
import { isUsedUp, usesAfter } from "./key-changes.ts";
import type { KeyEntry } from "./key-entry.ts";
import { endOf } from "./key-source.ts";
import type { KeySpec } from "./key-spec.ts";
import { keyHash } from "./key-text.ts";
import type { KeyWriter } from "./key-writer.ts";

/** A worker that has got a key for a token. */
export interface JoinNote {
  readonly token: KeyEntry;
  readonly key: KeyEntry;
  readonly address: string | undefined;
}

export interface JoinDeskOptions {
  readonly book: KeyBook;
  /** Changes keys on all servers. Returns undefined for a server that makes no keys. */
  readonly writer: () => Pick<KeyWriter, "create" | "rotate" | "amend"> | undefined;
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
}

/** The longest name of a key that a worker may give itself. */
const MAX_NAME_CHARS = 128;

/** A tenth of the valid keys that a server may have, so that a token which has leaked does not use up the room for others. */
const MAX_KEYS = 2000;

/** No use of the token is left. */
class UsedUp extends Error {}

/**
 * Trades join tokens for keys of workers. A trade is one worker's proof with one token: it counts one use, and makes one key,
 * however often and at whichever server the worker asks. So an answer that is lost on the way costs nothing. Once the key was
 * used, the worker has it, and the trade cannot be repeated any more.
 */
export class JoinDesk implements Joining {
  readonly #options: JoinDeskOptions;

  constructor(options: JoinDeskOptions) {
    this.#options = options;
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
    const made = await keys.create(specOf(token, trade, request), requestOf(token, trade));
    if (!made.isRepeat) onJoined?.({ token, key: made.entry, address });
    return toJoined(made);
  }

  /** Hands out the key of a trade again: with the same text while that is remembered, else with another secret. */
  async #again(key: KeyEntry, trade: string, token: KeyEntry, request: JoinRequest): Promise<Joined> {
    const keys = this.#options.writer();
    if (!keys || key.revokedAt !== undefined) return refuse("join_token_used_up");
    if (key.workerId !== request.workerId || !request.mayHaveId(ownerOfKey(key.id))) return refuse("id_in_use");
    const remembered = await keys.create(specOf(token, trade, request), requestOf(token, trade)).catch(isNotRemembered);
    if (remembered && keyHash(remembered.text) === remembered.entry.secret.hash) return toJoined(remembered);
    if (key.lastUsedAt !== undefined) return refuse("join_token_used_up");
    return toJoined(await keys.rotate(key.id, 0, { by: callerName(token) }));
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

/** Lets the errors of a request pass whose answer is not remembered, or was for a token that allowed something else. */
function isNotRemembered(error: unknown): undefined {
  const isOurs = error instanceof Fault && (error.code === "key_already_shown" || error.code === "invalid_request");
  if (!isOurs) throw error;
}

function specOf(token: KeyEntry, trade: string, { workerId, otherIds, name }: JoinRequest): KeySpec {
  const { models, tenants, maxSlots } = token;
  const shown =
    cleanText(name ?? workerId)
      .trim()
      .slice(0, MAX_NAME_CHARS)
      .trim() || workerId;
  return {
    kind: "worker",
    terms: { name: shown, models, tenants, maxSlots, limits: {} },
    bound: { workerId, ...(otherIds.length > 0 && { otherIds }), trade },
  };
}

function requestOf(token: KeyEntry, trade: string): { readonly by: string; readonly idempotencyKey: string } {
  return { by: callerName(token), idempotencyKey: trade };
}

function toJoined({ entry, text }: MadeKey): Joined {
  const { owner, name, worker = {} } = toKeyRecord(entry, 0);
  return { ok: true, credential: text, owner, caller: name, terms: worker };
}

function refuse(refusal: JoinRefusal, isGuess = false): Joined {
  return { ok: false, refusal, isGuess };
}
