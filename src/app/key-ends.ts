import { Fault } from "../errors.ts";
import type { KeyBook } from "../keys/key-book.ts";
import { ownerOfKey, toKeyRecord } from "../keys/key-caller.ts";
import { endFault } from "../keys/key-source.ts";
import type { Lifecycle } from "../plugin/contract.ts";
import type { Clock } from "../system/deps.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";

export interface KeyEndsOptions {
  readonly book: KeyBook;
  readonly clock: Pick<Clock, "now" | "every">;
  /** Refreshed when the first key for a door was made. */
  readonly auth: { refresh(): void };
  /** The sessions of workers. */
  readonly sessions: {
    closeDisowned(): unknown;
    /** Takes over what the key of an owner allows now. */
    setTerms(owner: string, terms: WorkerTerms): void;
  };
  /** Not called before the first change of a key. */
  readonly plugins: () => readonly { readonly lifecycle?: Pick<Lifecycle, "endRequests"> }[];
}

/**
 * Ends the requests and the sessions of workers whose key is revoked, rotated away or expires. A revocation ends them at once.
 * Nothing announces an expiry, so it is checked for: every second for requests, and every 5 s for sessions. Returns a function
 * that stops the checks. A change of what a worker's key allows applies to its sessions immediately.
 */
export function endWithKeys({ book, clock, auth, sessions, plugins }: KeyEndsOptions): () => void {
  /** Ends the requests of keys that are no longer valid, and all those of `movedId`, whose key is for something else now. */
  const endRequests = (movedId?: string): void => {
    const judge = (keyId: string): Fault | undefined =>
      keyId === movedId ? new Fault("key_revoked") : endFault(book.get(keyId), clock.now());
    for (const { lifecycle } of plugins()) lifecycle?.endRequests?.(judge);
  };
  book.onChange(({ kind, entry, before = entry, isFirst }) => {
    if (isFirst) auth.refresh();
    const letsWorkersIn = [entry.kind, before.kind].some((each) => each === "worker" || each === "join");
    if (letsWorkersIn && (isFirst || kind !== "created")) sessions.closeDisowned();
    // A key may have been rotated and changed in one step: in `KEYS_FILE`, or at a server that was not heard for a while.
    if (entry.kind === "worker" && (kind === "changed" || kind === "rotated"))
      sessions.setTerms(ownerOfKey(entry.id), toKeyRecord(entry, 0).worker ?? {});
    // Clients' keys send requests, and workers' keys send the sides of transfers. Only KEYS_FILE can change the kind of a key.
    const sendsRequests = before.kind === "client" || before.kind === "worker";
    if (sendsRequests && kind !== "created") endRequests(before.kind === entry.kind ? undefined : entry.id);
  });
  const stops = [
    clock.every(SESSIONS_LOOK_MS, () => void sessions.closeDisowned()),
    clock.every(REQUESTS_LOOK_MS, () => endRequests()),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** How long the session of a worker may outlive its key's expiry. Looking at thousands of sessions takes a millisecond. */
const SESSIONS_LOOK_MS = 5000;

/** How long a request may outlive its key's expiry. */
const REQUESTS_LOOK_MS = 1000;
