import { identityFileAt } from "../worker/identity-file.ts";

/** Whether a worker has a key of its own for a server, by the file in which it keeps it. */
export function isJoined(path: string, server: string): boolean {
  try {
    const kept = identityFileAt(path).read() ?? [];
    return kept.some((each) => each.server === server && each.credential !== undefined);
  } catch {
    // It may be written at this moment, or belong to somebody else.
    return false;
  }
}
