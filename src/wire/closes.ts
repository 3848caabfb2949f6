/** A WebSocket close frame (RFC 6455 §7.4). */
export interface Close {
  readonly code: number;
  readonly reason: string;
}

/**
 * How soon a worker dials again: `soon` with the ordinary backoff; `slowly` where someone has to change something first;
 * `much_later` where dialling at once would only throw out another worker.
 */
export type Redial = "soon" | "slowly" | "much_later";

/** One way in which a link ends. */
export interface CloseRule extends Close {
  /** The beginning of the frame's reason, which a detail may follow. If it is empty, the detail is the whole reason. */
  readonly reason: string;
  readonly redial: Redial;
  /** What the worker's operator can do about it; absent where nothing needs to be done. */
  readonly hint?: string;
}

const COMPARE_VERSIONS = "server and worker do not understand each other: compare their versions";

/**
 * Every close code of a link between server and worker, with its reason. `docs/protocol.md` lists the same table; a test
 * holds the two together.
 */
// One row a close.
// biome-ignore format: a table is read by its columns
export const CLOSES = {
  unauthorized: { code: 1008, reason: "unauthorized", redial: "slowly", hint: "set --client-key (CLIENT_KEY) to a key that the server accepts from workers" },
  unexpected_client_key: { code: 1008, reason: "unexpected client key", redial: "slowly", hint: "the server has no client key: set one there, or leave --client-key out" },
  too_many_wrong_keys: { code: 1008, reason: "too many wrong keys", redial: "slowly", hint: "this address has sent many wrong keys within a minute, and this one is wrong too: set --client-key (CLIENT_KEY) to a key that the server accepts from workers" },
  key_not_confirmed: { code: 1013, reason: "key not confirmed", redial: "soon" },
  key_removed: { code: 1008, reason: "client key removed", redial: "slowly", hint: "the server no longer accepts this worker's key or role: set --client-key (CLIENT_KEY) to a key that it accepts" },
  join_token_unknown: { code: 1008, reason: "unknown join token", redial: "slowly", hint: "no such join token was made at this server: compare --join (JOIN_TOKEN) and --server with what the operator gave you" },
  join_token_expired: { code: 1008, reason: "join token expired", redial: "slowly", hint: "ask the operator for another join token (moorage join-token create), and start again with it as --join" },
  join_token_revoked: { code: 1008, reason: "join token revoked", redial: "slowly", hint: "the operator has revoked this join token: ask for another one, and start again with it as --join" },
  join_token_used_up: { code: 1008, reason: "join token used up", redial: "slowly", hint: "this join token has let in as many workers as it may: ask the operator for another one. A worker that has joined before needs its STATE_FILE, and no token" },
  join_unavailable: { code: 1013, reason: "joining is not possible now", redial: "soon" },
  id_not_allowed: { code: 1008, reason: "id not allowed", redial: "slowly", hint: "this worker's key is bound to another id: leave out --id (CLIENT_ID, or `id` in the servers file) or set it to the former one, or join again with another join token" },
  tenants_not_known: { code: 1008, reason: "callers have no tenant", redial: "slowly", hint: "this worker's key is for certain tenants only, and callers of a relay have none unless they sign in: serve MCP servers with --access connector, or with a key that is not bound to tenants" },
  no_caller_keys: { code: 1008, reason: "callers have no keys", redial: "slowly", hint: "with --access connector, callers need keys of the server or a sign-in, and it has neither: create a client's key there (moorage keys create, or API_KEY), or choose another --access" },
  expected_register: { code: 1008, reason: "expected register", redial: "slowly", hint: COMPARE_VERSIONS },
  invalid_register: { code: 1008, reason: "invalid register", redial: "slowly", hint: "the server rejected a field of the registration: compare the versions of server and worker" },
  invalid_hello: { code: 1008, reason: "invalid hello", redial: "slowly", hint: "the server rejected a field of the registration: compare the versions of server and worker" },
  invalid_id: { code: 1008, reason: "invalid id", redial: "slowly", hint: "choose another --id (CLIENT_ID, or `id` in the servers file), or leave it out and the server makes one" },
  id_in_use: { code: 1008, reason: "id in use", redial: "slowly", hint: "this id belongs to another client key. If the key was replaced, give this worker both as CLIENT_KEY=new,old, or remove the old one from the server; otherwise choose another --id" },
  blocked: { code: 1008, reason: "blocked by an operator", redial: "slowly", hint: "an operator of the server has blocked this worker's id; only an operator can lift that, on the dashboard" },
  refused: { code: 1008, reason: "", redial: "slowly", hint: "the server refused the registration: compare the versions of server and worker" },
  replaced: { code: 4001, reason: "replaced", redial: "much_later", hint: "another worker registered with this id: give each worker its own --id, or none" },
  draining: { code: 1013, reason: "draining", redial: "soon" },
  server_restart: { code: 1012, reason: "server restart", redial: "soon" },
  disconnected_by_operator: { code: 1012, reason: "disconnected by an operator", redial: "soon" },
  exchange_ids_used_up: { code: 1012, reason: "exchange ids used up", redial: "soon" },
  send_failed: { code: 1011, reason: "send failed", redial: "soon" },
  message_too_large: { code: 1009, reason: "message too large", redial: "soon" },
  no_sign_of_life: { code: 4000, reason: "no sign of life", redial: "soon" },
  protocol_error: { code: 1002, reason: "", redial: "slowly", hint: COMPARE_VERSIONS },
  unsupported_data: { code: 1003, reason: "", redial: "slowly", hint: COMPARE_VERSIONS },
  missing_extension: { code: 1010, reason: "", redial: "slowly", hint: COMPARE_VERSIONS },
  drained: { code: 1000, reason: "drained", redial: "soon" },
  goodbye: { code: 1000, reason: "", redial: "soon" },
  no_close_frame: { code: 1006, reason: "", redial: "soon" },
} as const satisfies Record<string, CloseRule>;

export type CloseName = keyof typeof CLOSES;

/** The close of this name with what happened in this case, for people: `invalid id: …`. */
export function closeWith(name: CloseName, detail: string): Close {
  const { code, reason } = CLOSES[name];
  return { code, reason: reason === "" ? detail : `${reason}: ${detail}` };
}

/** Returns the table's name for a close that arrived; undefined for one that is not in the table. */
export function closeName({ code, reason }: Close): CloseName | undefined {
  // The keys of the table are its names; Object.keys types them as plain text.
  const names = (Object.keys(CLOSES) as CloseName[]).filter((name) => CLOSES[name].code === code);
  const named = names.find((name) => {
    const own = CLOSES[name].reason;
    return own !== "" && (reason === own || reason.startsWith(`${own}: `));
  });
  return named ?? names.find((name) => CLOSES[name].reason === "");
}

/** Returns the table's row for a close that arrived; undefined for one that is not in the table. */
export function closeRule(close: Close): CloseRule | undefined {
  const name = closeName(close);
  return name && CLOSES[name];
}
