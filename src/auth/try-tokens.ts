import { isRecord, parseJson } from "../json/parse.ts";
import type { Clock } from "../system/deps.ts";
import type { SignOut } from "./sign-outs.ts";
import type { TokenKeys } from "./token-keys.ts";

/** The beginning of every token, which distinguishes it from a key. */
const PREFIX = "try-";

/** The life of a token. The page requests the next one by itself. */
const LIFE_MS = 5 * 60_000;

/** The longest token that is read. Tokens are shorter, unless the name of a role is very long. */
const MAX_CHARS = 1024;

/** The operator who was given a token. */
export interface Holder {
  /** The owner that the operator's key stands for, or the name of the operator's role. */
  readonly owner: string;
  /** The operator's sign-in, with which the token ends; undefined for one who came with a key or a role. */
  readonly signIn: SignOut | undefined;
}

export interface TryTokensOptions {
  readonly clock: Clock;
  readonly keys: TokenKeys;
  /** Whether the holder is still an operator. The token ends otherwise. */
  readonly isCurrent: (holder: Holder) => boolean;
}

/**
 * Short-lived substitutes for an API key, for the dashboard's own requests to the public API. A stolen token is worth little.
 * Tokens are not stored, so each is valid on every server that has the same `TokenKeys`.
 */
export class TryTokens {
  readonly #options: TryTokensOptions;

  constructor(options: TryTokensOptions) {
    this.#options = options;
  }

  issue({ owner, signIn }: Holder): { readonly token: string; readonly expiresInS: number } {
    const { clock, keys } = this.#options;
    const content = {
      owner,
      ...(signIn && { sign_in: { id: signIn.id, ends_at: signIn.endsAt } }),
      ends_at: clock.now() + LIFE_MS,
    };
    return { token: PREFIX + keys.seal("try", JSON.stringify(content)), expiresInS: LIFE_MS / 1000 };
  }

  /** Returns whether a token is valid now. */
  isCurrent(token: string): boolean {
    if (!token.startsWith(PREFIX) || token.length > MAX_CHARS) return false;
    const { clock, keys, isCurrent } = this.#options;
    const opened = keys.open("try", token.slice(PREFIX.length));
    const content = opened && toContent(parseJson(opened.text));
    if (!content || clock.now() >= content.endsAt) return false;
    return opened.mayStandFor(content.owner) && isCurrent(content);
  }
}

/** Reads what `issue` has sealed, perhaps in another version of the server. */
function toContent(value: unknown): (Holder & { readonly endsAt: number }) | undefined {
  if (!isRecord(value)) return undefined;
  const { owner, sign_in, ends_at: endsAt } = value;
  if (typeof owner !== "string" || typeof endsAt !== "number") return undefined;
  if (sign_in === undefined) return { owner, signIn: undefined, endsAt };
  if (!isRecord(sign_in) || typeof sign_in["id"] !== "string" || typeof sign_in["ends_at"] !== "number")
    return undefined;
  return { owner, signIn: { id: sign_in["id"], endsAt: sign_in["ends_at"] }, endsAt };
}
