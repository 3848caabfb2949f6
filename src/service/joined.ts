import { identityFileAt } from "../worker/identity-file.ts";
import { MAX_SLOTS, slotPath } from "../worker/state-slots.ts";

/** What a worker was given to join by. */
export interface JoiningBy {
  /** The base URL of the server, as `httpUrl` returns it. */
  readonly server: string;
  /** The public part of the join token. */
  readonly tokenId: string;
}

/**
 * Returns the file in which a worker keeps the key that it has got for a join token, among those that workers of this machine
 * choose from; undefined while none has one.
 */
export function joinedFile(path: string, { server, tokenId }: JoiningBy): string | undefined {
  const paths = Array.from({ length: MAX_SLOTS }, (_, index) => slotPath(path, index + 1));
  return paths.find((each) => {
    try {
      const kept = identityFileAt(each).read() ?? [];
      return kept.some((one) => one.server === server && one.tokenId === tokenId && one.credential !== undefined);
    } catch {
      // It may be written at this moment, or belong to somebody else.
      return false;
    }
  });
}
