import type { KeyView } from "../../src/admin/key-view.ts";
import { assertOk } from "./answers.ts";
import { type MadeKey, makeKey } from "./made-key.ts";

// The join token in the line that the page shows. The page keeps its text only while it is shown.

export interface MadeToken extends MadeKey {
  /** Milliseconds since 1970, by the server's clock. */
  readonly endsAt: number;
  readonly uses: number;
}

/** Makes a join token. `now` is the server's time, because it judges when the token ends. */
export async function makeToken(uses: number, lifeMs: number, now: number): Promise<MadeToken> {
  const endsAt = now + lifeMs;
  const name = `Add a worker, ${new Date(now).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const made = await makeKey({ kind: "join", name, max_uses: uses, expires_at: new Date(endsAt).toISOString() });
  return { ...made, endsAt, uses };
}

/** A worker that has joined by a token. */
export interface JoinedWorker {
  readonly ids: readonly string[];
  readonly name: string;
}

/** The workers that have a key by this token. */
export async function joinedBy(tokenId: string): Promise<readonly JoinedWorker[]> {
  const query = new URLSearchParams({ kind: "worker", search: tokenId, limit: "100" });
  const response = await assertOk(await fetch(`/api/keys?${query}`));
  const { data } = (await response.json()) as { readonly data: readonly KeyView[] }; // the server's own
  return data
    .filter(({ created_by: by }) => by.endsWith(tokenId))
    .map(({ worker_id: id, other_ids: others, name }) => ({
      ids: [...(id === null ? [] : [id]), ...(others ?? [])],
      name,
    }));
}
