import { isRecord } from "../json/parse.ts";
import { MAX_CLOCKS_APART_MS, type SignOut, type SignOuts } from "./sign-outs.ts";
import { MAX_TOKEN_MS } from "./token-keys.ts";

/** The other servers, as the sharing of sign-outs needs them. */
export interface SignOutPeers {
  /** Returns the ids of the servers that are there. */
  ids(): readonly string[];
  /** Calls `listener` with the id of each server that comes or comes back. */
  onCame(listener: (serverId: string) => void): void;
  /** Asks a server. Resolves to its answer, or to undefined if there is none. Never rejects. */
  ask(serverId: string, kind: string, body: unknown): Promise<unknown>;
  /** Answers the questions of other servers of one kind. */
  answer(kind: string, handler: (body: unknown) => unknown): void;
}

const TELL = "sign_out";
const LIST = "sign_outs";
/**
 * How many times a server that does not answer is told of a sign-out. A server that was away asks for sign-outs when it is
 * back.
 */
const MAX_TELLS = 3;
/** The most sign-outs in one list. In JSON they fill a fifth of the largest message. */
const MAX_LISTED = 1000;

/**
 * Tells the other servers of sign-outs, and asks each server that comes for its own. A server that misses all three messages
 * about a sign-out learns of it when one of the two servers restarts, or when they have lost and found each other.
 */
export function shareSignOuts(signOuts: SignOuts, peers: SignOutPeers, now: () => number): void {
  const take = (value: unknown): boolean => {
    const signOut = toSignOut(value, now());
    if (signOut) signOuts.accept(signOut);
    return signOut !== undefined;
  };
  const tell = async (serverId: string, { id, endsAt }: SignOut): Promise<void> => {
    for (let tells = 0; tells < MAX_TELLS; tells += 1)
      if ((await peers.ask(serverId, TELL, { id, ends_at: endsAt })) !== undefined) return;
  };
  const askFor = async (serverId: string): Promise<void> => {
    const listed = await peers.ask(serverId, LIST, null);
    if (isRecord(listed) && Array.isArray(listed["data"]))
      for (const each of listed["data"].slice(0, MAX_LISTED)) take(each);
  };
  peers.answer(TELL, (body) => ({ taken: take(body) }));
  peers.answer(LIST, () => ({
    // The newest, which last longest.
    data: [...signOuts.all()]
      .sort((a, b) => b.endsAt - a.endsAt)
      .slice(0, MAX_LISTED)
      .map(({ id, endsAt }) => ({ id, ends_at: endsAt })),
  }));
  signOuts.onAdded((signOut) => {
    for (const serverId of peers.ids()) void tell(serverId, signOut);
  });
  peers.onCame((serverId) => void askFor(serverId));
}

/** Reads the list of another server, which is bounded like anything from outside. */
function toSignOut(value: unknown, now: number): SignOut | undefined {
  if (!isRecord(value)) return undefined;
  const { id, ends_at: endsAt } = value;
  if (typeof id !== "string" || id === "" || id.length > 64) return undefined;
  if (typeof endsAt !== "number" || !(endsAt <= now + MAX_TOKEN_MS + MAX_CLOCKS_APART_MS)) return undefined;
  return { id, endsAt };
}
