/** How an error code behaves: its HTTP status, its OpenAI error type, and whether a retry can help. */
export interface ErrorRule {
  readonly status: number;
  readonly type: "invalid_request_error" | "authentication_error" | "rate_limit_error" | "server_error";
  /** False adds `x-should-retry: false` to statuses that the SDKs would otherwise retry. */
  readonly retryable: boolean;
  /** The public text, unless a `Fault` brings its own. */
  readonly message: string;
}

/**
 * Every error code of the server; no other file defines one. The statuses follow the official OpenAI SDKs, which retry
 * 408, 409, 429 and 5xx, so the status tells a client whether a retry can help. `docs/errors.md` repeats this table, and
 * a test compares the two.
 */
// biome-ignore format: one row per code, so that the table can be read by its columns
export const ERRORS = {
  invalid_json: { status: 400, type: "invalid_request_error", retryable: false, message: "The request body is not valid JSON." },
  invalid_request: { status: 400, type: "invalid_request_error", retryable: false, message: "The request is not valid." },
  unsupported_media_type: { status: 415, type: "invalid_request_error", retryable: false, message: "Unsupported content type or content encoding for this route." },
  invalid_api_key: { status: 401, type: "authentication_error", retryable: false, message: "Missing or invalid API key. Send it as 'Authorization: Bearer YOUR_KEY'." },
  key_expired: { status: 401, type: "authentication_error", retryable: false, message: "This key has expired. Ask the operator of this server for another one." },
  key_revoked: { status: 401, type: "authentication_error", retryable: false, message: "This key was revoked. Ask the operator of this server for another one." },
  key_rotated: { status: 401, type: "authentication_error", retryable: false, message: "This key was replaced by another one. Use the new key." },
  too_many_auth_failures: { status: 429, type: "rate_limit_error", retryable: true, message: "This key is wrong, and so were too many others from this address within a minute. Send a valid key, or wait before you try another." },
  too_many_requests: { status: 429, type: "rate_limit_error", retryable: true, message: "This key or address has too many requests in progress. Try again when some have finished." },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", retryable: true, message: "This key has reached a rate limit. Try again after the time in Retry-After." },
  insufficient_quota: { status: 429, type: "rate_limit_error", retryable: false, message: "This key has used up its budget. Wait until it resets, or ask the operator of this server to raise it." },
  key_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No key has this id. GET /api/keys lists all keys." },
  grant_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No grant has this id. It may have been revoked or have expired." },
  key_already_shown: { status: 409, type: "invalid_request_error", retryable: false, message: "An earlier request with this Idempotency-Key has created the key, which cannot be shown again. Send another Idempotency-Key to create another key." },
  key_in_file: { status: 409, type: "invalid_request_error", retryable: false, message: "This key is listed in KEYS_FILE. Change it in that file." },
  tenant_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No tenant of this name has limits. GET /api/tenants lists those that have some." },
  tenant_in_file: { status: 409, type: "invalid_request_error", retryable: false, message: "The limits of this tenant are listed in KEYS_FILE. Change them in that file." },
  keys_not_kept: { status: 409, type: "invalid_request_error", retryable: false, message: "This server cannot keep keys, so it creates none: DATA_DIR is not set, and it has no cluster whose NATS has JetStream. Set DATA_DIR and restart the server, or list keys in a file and set KEYS_FILE." },
  key_conflict: { status: 409, type: "invalid_request_error", retryable: true, message: "Other servers of the cluster kept changing this key at the same time, so this change was not made. Try again shortly." },
  keys_unavailable: { status: 503, type: "server_error", retryable: true, message: "Keys cannot be changed now, because this server cannot reach the records of its cluster in NATS. Nothing was changed. Try again shortly." },
  key_not_confirmed: { status: 503, type: "server_error", retryable: true, message: "This server cannot tell now whether this key is valid, because it cannot reach the records of its cluster in NATS. Try again shortly." },
  origin_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "Requests from this origin are not allowed." },
  viewer_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "You are signed in as a viewer, and viewers cannot change anything. Ask an admin to do this." },
  relay_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "This key may not call this relay. Ask the operator of this server." },
  relay_cannot_restrict: { status: 403, type: "invalid_request_error", retryable: false, message: "This key may use only some of what a relay offers, and this relay cannot restrict its callers. Its owner has to update its worker." },
  host_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "The Host header does not name this server. See PUBLIC_URL and ALLOWED_HOSTS." },
  path_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "A relay serves one URL, which ends in its id or in /mcp. Other paths are not forwarded." },
  unknown_url: { status: 404, type: "invalid_request_error", retryable: false, message: "There is no such route. GET /api/client/ lists all routes." },
  method_not_allowed: { status: 405, type: "invalid_request_error", retryable: false, message: "This route does not support that method; see the Allow header." },
  model_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "The model does not exist on this server." },
  previous_response_not_found: { status: 400, type: "invalid_request_error", retryable: false, message: "The worker that has this response is not available any more. Send the whole conversation as 'input' instead, without 'previous_response_id'." },
  worker_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No worker with this id is known." },
  job_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No job with this id is running or waiting." },
  server_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "The cluster has no server with this id. GET /api/state lists its servers." },
  request_too_large: { status: 413, type: "invalid_request_error", retryable: false, message: "The request body is larger than this server accepts." },
  transfer_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "There is no such transfer channel. POST /api/transfer creates one." },
  transfer_in_use: { status: 409, type: "invalid_request_error", retryable: false, message: "A channel accepts one reader and one writer, once. POST /api/transfer creates another one." },
  transfer_expired: { status: 410, type: "invalid_request_error", retryable: false, message: "The channel expired before both sides had joined. POST /api/transfer creates another one." },
  request_timeout: { status: 408, type: "invalid_request_error", retryable: true, message: "The request body did not arrive in time." },
  upgrade_required: { status: 426, type: "invalid_request_error", retryable: false, message: "This route accepts WebSocket connections only." },
  no_worker_available: { status: 503, type: "server_error", retryable: true, message: "No worker can serve this model right now. Try again shortly." },
  queue_timeout: { status: 503, type: "server_error", retryable: true, message: "Every worker for this model stayed busy for as long as a request may wait. Try again shortly." },
  queue_full: { status: 503, type: "server_error", retryable: true, message: "All workers are busy and the queue is full. Try again shortly." },
  too_many_connections: { status: 503, type: "server_error", retryable: true, message: "Too many connections of this kind are open. Try again shortly." },
  relay_unavailable: { status: 503, type: "server_error", retryable: true, message: "No relay with this id is connected. Check the id, or try again shortly." },
  too_many_calls: { status: 429, type: "rate_limit_error", retryable: true, message: "This relay has as many calls in progress as it may have. Try again shortly." },
  too_many_channels: { status: 503, type: "server_error", retryable: true, message: "The maximum number of transfer channels is open. Try again shortly." },
  spool_unavailable: { status: 503, type: "server_error", retryable: true, message: "The upload cannot be buffered until its 'model' field arrives. Send 'model' before 'file', or try again later." },
  package_unavailable: { status: 503, type: "server_error", retryable: true, message: "This server cannot hand out its package now. Its log says why." },
  draining: { status: 503, type: "server_error", retryable: true, message: "The server is shutting down. Try again shortly." },
  worker_lost: { status: 502, type: "server_error", retryable: true, message: "The worker was lost while it was serving this request." },
  upstream_unreachable: { status: 502, type: "server_error", retryable: true, message: "The worker could not reach its model server." },
  upstream_error: { status: 502, type: "server_error", retryable: true, message: "The model server's response broke off or was invalid." },
  upstream_timeout: { status: 504, type: "server_error", retryable: true, message: "The worker sent nothing for too long, so the request was cancelled." },
  server_not_answering: { status: 504, type: "server_error", retryable: true, message: "Another server of the cluster did not answer in time." },
  transfer_broken: { status: 502, type: "server_error", retryable: false, message: "The other side of the transfer left before the transfer was complete." },
  response_too_large: { status: 502, type: "server_error", retryable: false, message: "The response is larger than this server can hold for one request." },
  canceled_by_operator: { status: 503, type: "server_error", retryable: false, message: "An operator of this server cancelled the request." },
  internal_error: { status: 500, type: "server_error", retryable: true, message: "Internal error. The server's log has the details under this request id." },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

/** The JSON body of an error, in the shape that the OpenAI SDKs read. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export interface FaultDetails {
  /** Replaces the table's text. MUST NOT contain a secret, and MUST quote whatever a worker or a client sent. */
  readonly message?: string;
  /** The name of the request field that is wrong. */
  readonly param?: string;
  /** The `Retry-After` header, in seconds. Both SDKs obey values from 1 to 60. */
  readonly retryAfterS?: number;
  /** More headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose limit was reached, for the log: a setting of the server, or `worker`. */
  readonly limit?: string;
  /** What went wrong underneath. The log may show it; the client never sees it. */
  readonly cause?: unknown;
}

/** An error that a client gets to see: a code from the table and a public message. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterS: number | undefined;
  readonly limit: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, details: FaultDetails = {}) {
    super(details.message ?? ERRORS[code].message, { cause: details.cause });
    this.code = code;
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
    this.retryAfterS = details.retryAfterS;
    this.limit = details.limit;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The response body for this error. */
  body(): ErrorBody {
    return { error: { message: this.message, type: ERRORS[this.code].type, param: this.param, code: this.code } };
  }
}

/** The error of a server that is shutting down. Its clients should try again once another one is there. */
export function drainingFault(): Fault {
  return new Fault("draining", { retryAfterS: 5 });
}
