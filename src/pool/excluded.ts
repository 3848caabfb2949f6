import type { Session } from "../tunnel/session.ts";

/** The sessions and workers that must not get a job, by their ids. */
export interface Excluded {
  readonly sessions: ReadonlySet<string>;
  readonly workers: ReadonlySet<string>;
}

export const NONE_EXCLUDED: Excluded = { sessions: new Set(), workers: new Set() };

export function isExcluded(excluded: Excluded, session: Session): boolean {
  return excluded.sessions.has(session.id) || excluded.workers.has(session.worker.id);
}

/** Returns the exclusions with one session more. */
export function withSession(excluded: Excluded, sessionId: string): Excluded {
  return { sessions: new Set(excluded.sessions).add(sessionId), workers: excluded.workers };
}
