/** How a coded error behaves: the HTTP status, the OpenAI error type, and whether trying again can help. */
export interface ErrorRule {
  readonly status: number;
  readonly type: "invalid_request_error" | "authentication_error" | "rate_limit_error" | "server_error";
  /** Decides `x-should-retry: false` where the status alone would make the SDKs try again. */
  readonly retryable: boolean;
  readonly message: string;
}

/**
 * The one place that makes codes. Statuses follow what the official OpenAI SDKs do: they retry 408, 409, 429 and 5xx,
 * so a status says whether trying again can help. `docs/errors.md` lists the same table; a test holds the two together.
 */
// One row a code.
// biome-ignore format: a table is read by its columns
export const ERRORS = {
  invalid_json: { status: 400, type: "invalid_request_error", retryable: false, message: "The request body is not valid JSON." },
  invalid_request: { status: 400, type: "invalid_request_error", retryable: false, message: "The request is not valid." },
  unsupported_media_type: { status: 415, type: "invalid_request_error", retryable: false, message: "This route takes another content type, and nothing compressed." },
  invalid_api_key: { status: 401, type: "authentication_error", retryable: false, message: "No valid API key was given. Send it as 'Authorization: Bearer <key>'." },
  too_many_auth_failures: { status: 429, type: "rate_limit_error", retryable: true, message: "Too many failed sign-ins from this address. Wait and try again with a valid key." },
  too_many_requests: { status: 429, type: "rate_limit_error", retryable: true, message: "Too many requests of this key or address are under way. Try again when some have ended." },
  origin_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "Requests from this origin are not accepted here." },
  host_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "This server is not called by that name. See ALLOWED_HOSTS." },
  path_not_allowed: { status: 403, type: "invalid_request_error", retryable: false, message: "A path with such segments is not passed on." },
  unknown_url: { status: 404, type: "invalid_request_error", retryable: false, message: "There is no such route. GET /api/client/ lists the routes." },
  method_not_allowed: { status: 405, type: "invalid_request_error", retryable: false, message: "This route does not take that method; see the Allow header." },
  model_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "The model does not exist here." },
  worker_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No worker with this id has been seen." },
  job_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "No job with this id runs or waits." },
  request_too_large: { status: 413, type: "invalid_request_error", retryable: false, message: "The request body is larger than this server takes." },
  transfer_not_found: { status: 404, type: "invalid_request_error", retryable: false, message: "There is no such channel. POST /api/transfer makes one." },
  transfer_in_use: { status: 409, type: "invalid_request_error", retryable: false, message: "A channel takes one reader and one writer, once. POST /api/transfer makes another one." },
  transfer_expired: { status: 410, type: "invalid_request_error", retryable: false, message: "The channel expired before both sides were there. POST /api/transfer makes another one." },
  request_timeout: { status: 408, type: "invalid_request_error", retryable: true, message: "The request body did not arrive in time." },
  upgrade_required: { status: 426, type: "invalid_request_error", retryable: false, message: "Connect to this route with a WebSocket." },
  no_worker_available: { status: 503, type: "server_error", retryable: true, message: "No worker for this model is connected now. Try again shortly." },
  queue_timeout: { status: 503, type: "server_error", retryable: true, message: "Every worker for this model stayed busy for as long as a request may wait. Try again shortly." },
  queue_full: { status: 503, type: "server_error", retryable: true, message: "Every worker is busy and the queue is full. Try again shortly." },
  too_many_connections: { status: 503, type: "server_error", retryable: true, message: "Too many connections of this kind are open. Try again shortly." },
  relay_unavailable: { status: 503, type: "server_error", retryable: true, message: "No relay with this id is connected. Check the id, or try again shortly." },
  too_many_calls: { status: 429, type: "rate_limit_error", retryable: true, message: "This relay serves as many calls as it may at once. Try again shortly." },
  too_many_channels: { status: 503, type: "server_error", retryable: true, message: "As many transfer channels are open as this server keeps. Try again shortly." },
  spool_unavailable: { status: 503, type: "server_error", retryable: true, message: "The server has no room to hold this upload until it names its model. Send the field 'model' before 'file', or try again later." },
  draining: { status: 503, type: "server_error", retryable: true, message: "The server is shutting down. Try again shortly." },
  worker_lost: { status: 502, type: "server_error", retryable: true, message: "The worker was lost while it served this request." },
  upstream_unreachable: { status: 502, type: "server_error", retryable: true, message: "The worker could not reach its model server." },
  upstream_error: { status: 502, type: "server_error", retryable: true, message: "The model server's answer broke off or could not be used." },
  upstream_timeout: { status: 504, type: "server_error", retryable: true, message: "The worker sent nothing for too long; the request was cancelled there." },
  transfer_broken: { status: 502, type: "server_error", retryable: false, message: "The other side of the transfer left before it had everything." },
  response_too_large: { status: 502, type: "server_error", retryable: false, message: "The answer is larger than this server holds for one request." },
  canceled_by_operator: { status: 503, type: "server_error", retryable: false, message: "An operator of this server cancelled the request." },
  internal_error: { status: 500, type: "server_error", retryable: true, message: "The server made a mistake. The request id names it in the log." },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

/** The JSON that every error of this server has, as the OpenAI SDKs read it. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export interface FaultDetails {
  /** Replaces the table's public text. Must hold nothing secret and nothing from an untrusted worker unquoted. */
  readonly message?: string;
  /** The field of the request that is wrong. */
  readonly param?: string;
  /** Seconds; both SDKs obey 1 to 60. */
  readonly retryAfterS?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error that crosses the border: a code of the table, and the public text for this case. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterS: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, details: FaultDetails = {}) {
    super(details.message ?? ERRORS[code].message, { cause: details.cause });
    this.code = code;
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
    this.retryAfterS = details.retryAfterS;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  body(): ErrorBody {
    return { error: { message: this.message, type: ERRORS[this.code].type, param: this.param, code: this.code } };
  }
}
