import type { Visit } from "../http/visit.ts";
import { bearerIn } from "../wire/bearer.ts";
import type { Gate } from "./gate.ts";
import type { Refusals } from "./refusals.ts";

/** The door that workers come through, in two steps: their key may stand in the first message they send. */
export interface WorkerDoor {
  /**
   * Everything about a worker's upgrade request that `admit` needs once its register message is there. Throws
   * `origin_not_allowed` or `host_not_allowed` for another site's page where workers need no key.
   */
  readCredentials(visit: Visit): WorkerCredentials;
  /** Judges a worker by its upgrade request and the key in its register message. */
  admit(credentials: WorkerCredentials, registerKey: string | undefined): WorkerAdmission;
}

/** What a worker's upgrade request said; for `WorkerDoor.admit` only. */
export interface WorkerCredentials {
  readonly key: string | undefined;
  /** The caller's name of a role that lets workers in. */
  readonly role: string | undefined;
  readonly address: string;
}

/** `owner` tells two holders of different keys or roles apart. See `ownerName` for where it may appear. */
export type WorkerAdmission =
  | { readonly ok: true; readonly owner: string }
  | { readonly ok: false; readonly refusal: WorkerRefusal };

type WorkerRefusal = "unauthorized" | "unexpected_client_key";

export interface WorkerDoorParts {
  readonly gate: Gate;
  readonly refusals: Refusals;
  readonly bucketOf: (visit: Visit) => string;
  /** Throws for a page of another site. */
  readonly assertNoStrangersPage: (headers: Headers) => void;
}

export function createWorkerDoor({ gate, refusals, bucketOf, assertNoStrangersPage }: WorkerDoorParts): WorkerDoor {
  const turnAway = (refusal: WorkerRefusal, guessedFrom?: string): WorkerAdmission => {
    refusals.refuseWorker(guessedFrom);
    return { ok: false, refusal };
  };
  return {
    readCredentials(visit) {
      const { headers } = visit.request;
      if (gate.isOpen) assertNoStrangersPage(headers);
      return {
        key: bearerIn(headers.get("authorization")),
        role: gate.roleOf(visit)?.name,
        address: bucketOf(visit),
      };
    },
    admit({ key, role, address }, registerKey) {
      if (!gate.hasKeys && registerKey !== undefined) return turnAway("unexpected_client_key");
      // A proxy that vouches for a role may have put its own Bearer token beside it.
      if (role !== undefined) return { ok: true, owner: role };
      if (!gate.hasKeys && key !== undefined) return turnAway("unexpected_client_key");
      if (gate.isOpen) return { ok: true, owner: "open" };
      if (refusals.isBlocked(address)) return turnAway("unauthorized");
      const given = [registerKey, key].filter((each) => each !== undefined);
      for (const each of given) {
        const record = gate.find(each);
        if (record) return { ok: true, owner: record.owner };
      }
      return turnAway("unauthorized", given.length > 0 ? address : undefined);
    },
  };
}
