import { isRecord } from "../json/parse.ts";
import type { AffinitySource } from "../pool/routing/affinity.ts";

/** A name that a client gave to a conversation, or to requests with a common prompt. */
export interface ClientKey {
  readonly source: Exclude<AffinitySource, "prefix">;
  readonly value: string;
}

/**
 * The headers with which clients name a conversation, in the order in which they count. `docs/clients.md` says which client
 * sends which. Headers that name a user, a key or a single request are not among them.
 */
export const SESSION_HEADERS = [
  "x-moorage-session",
  "x-session-id",
  "x-session-affinity",
  "x-claude-code-session-id",
  "session-id",
  "session_id",
  "conversation_id",
  "x-conversation-id",
  "x-openwebui-chat-id",
  "x-litellm-session-id",
  "x-kilocode-taskid",
] as const;

/** Longer than any id in use. OpenAI's API allows a `prompt_cache_key` of 64 characters. */
const MAX_KEY_CHARS = 256;

/** Finds the first key that the client sent: a header, or a member of the body. Undefined if it sent none that is valid. */
export function clientKeyOf(headers: Headers, body: Readonly<Record<string, unknown>>): ClientKey | undefined {
  for (const name of SESSION_HEADERS) {
    const value = toKey(headers.get(name));
    if (value !== undefined) return { source: "session", value };
  }
  const conversation = body["conversation"];
  const session = toKey(isRecord(conversation) ? conversation["id"] : conversation) ?? sessionInMetadata(body);
  if (session !== undefined) return { source: "session", value: session };
  const cacheKey = toKey(body["prompt_cache_key"]);
  return cacheKey === undefined ? undefined : { source: "cache_key", value: cacheKey };
}

/**
 * The session that LiteLLM's clients (`session_id`) and Claude Code (`user_id`) write into `metadata`. Claude Code's
 * `user_id` ends in `_session_<uuid>`; newer versions write a JSON object with a `session_id` into the string.
 */
function sessionInMetadata({ metadata }: Readonly<Record<string, unknown>>): string | undefined {
  if (!isRecord(metadata)) return undefined;
  const named = toKey(metadata["session_id"]);
  if (named !== undefined) return named;
  const userId = metadata["user_id"];
  if (typeof userId !== "string" || userId.length > 4 * MAX_KEY_CHARS) return undefined;
  return toKey(/_session_([^_]+)$/.exec(userId)?.[1] ?? /"session_id"\s*:\s*"([^"\\]+)"/.exec(userId)?.[1]);
}

/** Returns a value that may name a conversation: a string of visible ASCII characters that is not too long. */
function toKey(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || value.length > MAX_KEY_CHARS) return undefined;
  return /^[\x21-\x7e]+$/.test(value) ? value : undefined;
}
