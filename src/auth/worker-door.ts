import type { Visit } from "../http/visit.ts";
import { bearerIn } from "../wire/bearer.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import { ANONYMOUS } from "./caller.ts";
import { ANYBODY } from "./gate.ts";
import type { Gates } from "./gates.ts";
import type { Joining, JoinRefusal, JoinRequest } from "./joining.ts";
import type { Refusals } from "./refusals.ts";

/** The door for workers. It has two steps, because a worker may send its key in its first message. */
export interface WorkerDoor {
  /**
   * Reads the credentials in a worker's upgrade request, for a later `admit`. If workers need no key, it throws
   * `origin_not_allowed` or `host_not_allowed` for a page of another site. It throws `origin_not_allowed` as well for such
   * a page that comes with a role.
   */
  readCredentials(visit: Visit): WorkerCredentials;
  /** Judges a worker by its upgrade request and the keys in its first message. */
  admit(credentials: WorkerCredentials, keys: RegisterKeys): WorkerAdmission;
  /** Trades the join token in a worker's first message for a key of its own. Never rejects. */
  join(credentials: WorkerCredentials, request: WorkerJoin): Promise<WorkerAdmission>;
  /** Whether a key or role that lets workers in stands for this owner. */
  isOwner(owner: string): boolean;
}

/** The keys in a worker's first message. */
export interface RegisterKeys {
  readonly clientKey?: string | undefined;
  /** The key that the worker had before: it lets a worker in whose new key is not known here yet. */
  readonly previousKey?: string | undefined;
}

/** A worker that joins, with the key that it had before. */
export interface WorkerJoin extends Omit<JoinRequest, "mayHaveId" | "previousOwner"> {
  readonly previousKey?: string | undefined;
  /** Whether the id is free, or belongs to one of these owners. */
  mayHaveId(claimant: { readonly owner: string; readonly previousOwner?: string | undefined }): boolean;
}

/** The credentials in a worker's upgrade request; for `WorkerDoor.admit` only. */
export interface WorkerCredentials {
  readonly key: string | undefined;
  /** The caller name of a role that lets workers in. */
  readonly role: string | undefined;
  /** The worker's address, for the log. */
  readonly address: string | undefined;
  /** The address under which its wrong keys are counted. */
  readonly bucket: string;
}

/**
 * The verdict on a worker. `owner` differs for different keys and roles; see `ownerName` for where it may appear. `caller`
 * is the name of the key or role for people: `client-key:2`. `previousOwner` is that of a valid previous key, unless it is
 * the same. `terms` are what the key allows, and `credential` is a key that was made for the worker just now.
 */
export type WorkerAdmission =
  | {
      readonly ok: true;
      readonly owner: string;
      readonly caller: string;
      readonly previousOwner?: string;
      readonly terms?: WorkerTerms | undefined;
      readonly credential?: string | undefined;
    }
  | { readonly ok: false; readonly refusal: WorkerRefusal };

type WorkerRefusal =
  | "unauthorized"
  | "unexpected_client_key"
  | "too_many_wrong_keys"
  | "key_not_confirmed"
  | JoinRefusal;

/** What a key or role stands for. */
type Holder = Pick<Extract<WorkerAdmission, { ok: true }>, "owner" | "caller" | "terms" | "credential">;

export interface WorkerDoorParts {
  readonly gates: () => Pick<Gates, "workers">;
  readonly refusals: Refusals;
  readonly addressOf: (visit: Visit) => string | undefined;
  readonly bucketOf: (visit: Visit) => string;
  /** Throws for a request from a page of another site. */
  readonly assertNoForeignPage: (headers: Headers) => void;
  /** Undefined for a server that makes no keys. */
  readonly joining?: Joining | undefined;
}

/** The owner of an id that a worker without a key yet cannot have proved to be. */
const NOBODY = "";

export function createWorkerDoor(parts: WorkerDoorParts): WorkerDoor {
  const { gates, refusals, addressOf, bucketOf, assertNoForeignPage, joining } = parts;
  const refuse = (refusal: WorkerRefusal, bucket: string, guesses = 0): WorkerAdmission => {
    const isOverLimit = refusals.refuseWorker(bucket, guesses);
    return { ok: false, refusal: isOverLimit ? "too_many_wrong_keys" : refusal };
  };
  // A previous key that the server no longer has is not a guess: workers keep it until somebody edits their settings.
  const ownerBefore = (previousKey: string | undefined): string | undefined =>
    previousKey === undefined ? undefined : gates().workers.find(previousKey)?.owner;
  const proved = (holder: Holder, previousKey: string | undefined): WorkerAdmission => {
    const previousOwner = ownerBefore(previousKey);
    return previousOwner === undefined || previousOwner === holder.owner
      ? { ...holder, ok: true }
      : { ...holder, ok: true, previousOwner };
  };
  return {
    readCredentials(visit) {
      const { headers } = visit.request;
      const gate = gates().workers;
      if (gate.isOpen) assertNoForeignPage(headers);
      return {
        key: bearerIn(headers.get("authorization")),
        role: gate.roleOf(visit)?.name,
        address: addressOf(visit),
        bucket: bucketOf(visit),
      };
    },
    isOwner: (owner) => gates().workers.hasOwner(owner),
    admit({ key, role, bucket }, { clientKey, previousKey }) {
      const gate = gates().workers;
      if (!gate.hasKeys && clientKey !== undefined) return refuse("unexpected_client_key", bucket);
      // A proxy that states a role may have added a bearer token of its own.
      if (role !== undefined) return proved({ owner: role, caller: role }, previousKey);
      if (!gate.hasKeys && key !== undefined) return refuse("unexpected_client_key", bucket);
      if (gate.isOpen) return { ok: true, owner: ANYBODY, caller: ANONYMOUS.name };
      const given = new Set([clientKey, key, previousKey].filter((each) => each !== undefined));
      for (const each of given) {
        const record = gate.find(each);
        if (record) return proved({ owner: record.owner, caller: record.name, terms: record.worker }, previousKey);
      }
      // A key that may be right is not counted, and the worker dials again soon.
      for (const each of given)
        if (gate.explain(each)?.code === "key_not_confirmed") return { ok: false, refusal: "key_not_confirmed" };
      return refuse("unauthorized", bucket, gate.guessesIn(given));
    },
    async join({ address, bucket }, { previousKey, mayHaveId, ...request }) {
      const previousOwner = ownerBefore(previousKey);
      const mayHave = (owner = NOBODY): boolean => mayHaveId({ owner, previousOwner });
      const joined = await joining?.trade({ ...request, previousOwner, mayHaveId: mayHave }, address);
      if (!joined) return refuse("join_token_unknown", bucket, 1);
      return joined.ok ? proved(joined, previousKey) : refuse(joined.refusal, bucket, joined.isGuess ? 1 : 0);
    },
  };
}
