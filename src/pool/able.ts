import { type Session, takesKind } from "../tunnel/session.ts";
import { type Excluded, isExcluded } from "./excluded.ts";

/** The part of a demand that has nothing to do with models. */
export interface Needs {
  /** The kind of exchange that the worker must have announced; undefined for HTTP, which needs no announcement. */
  readonly exchangeKind?: string | undefined;
  /** The sessions and workers that must not serve it: they have failed the job. */
  readonly excluded: Excluded;
}

/** Returns whether a session may get a job, whatever it serves: it is not excluded and announced the kind of exchange. */
export function isAble(session: Session, { excluded, exchangeKind }: Needs): boolean {
  if (exchangeKind !== undefined && !takesKind(session.offer, exchangeKind)) return false;
  return !isExcluded(excluded, session);
}
