import type { Log } from "../../system/deps.ts";
import type { HeaderPairs, RequestHead } from "../../wire/heads.ts";
import { type BackendRequest, callBackend, FailedCall } from "../backend.ts";
import { redirectIn } from "./redirect.ts";

export interface EndpointOptions {
  /** The URL that the relay's owner gave. */
  readonly url: string;
  /** Headers that the relay's owner adds to every request. They replace those of callers. */
  readonly headers?: HeaderPairs;
  /** The proxy on the way to it; none unless given. */
  readonly proxy?: string | false;
  readonly log: Log;
}

/** A request for the endpoint. `query` is empty, or begins with a question mark. */
export interface EndpointRequest extends Pick<BackendRequest, "head" | "key" | "body" | "signal" | "isRepeatable"> {
  readonly query: string;
}

/** The most redirects in a row: one for a missing slash, and some for a gateway in between. */
const MAX_REDIRECTS = 3;
/** How long the question for the endpoint's URL may take. A call waits for it. */
const FIND_TIMEOUT_MS = 10_000;

/**
 * The statuses of a URL that has no MCP server any more. A session that has ended is 404 as well, which costs a redirect.
 */
const IS_NOT_HERE: ReadonlySet<number> = new Set([404, 405]);

/** The answer to an empty request. */
interface Probe {
  /** The URL that answered, or the one that was asked. */
  readonly url: string;
  /** The response without its body; undefined if there was none. */
  readonly response: Response | undefined;
}

/**
 * The URL of an MCP server. Some servers redirect it, usually to the same URL with a slash at its end. The relay follows a
 * redirect on the same host and from then on uses its target, because a body that streamed cannot be sent a second time.
 */
export class Endpoint {
  readonly #options: EndpointOptions;
  #url: string;
  /** Whether the server has answered at `#url` with anything but a redirect. */
  #isSettled = false;
  #finding: Promise<string> | undefined;
  #hasWarned = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = options.url;
  }

  /** The URL at which the server answers, as far as it is known. */
  get url(): string {
    return this.#url;
  }

  get headers(): HeaderPairs {
    return this.#options.headers ?? [];
  }

  get proxy(): string | false {
    return this.#options.proxy ?? false;
  }

  /** Sends a request to the server. Rejects as `callBackend` does, and for a redirect that is not followed. */
  async call(request: EndpointRequest): Promise<Response> {
    const isStream = request.body instanceof ReadableStream;
    const base = isStream && !this.#isSettled ? await this.#find(hostIn(request.head)) : this.#url;
    const { response } = await this.#follow(request, base);
    return response;
  }

  async #follow(
    request: EndpointRequest,
    base: string,
  ): Promise<{ readonly response: Response; readonly url: string }> {
    const first = withQuery(base, request.query);
    const { method } = request.head;
    let url = first;
    // A query and a GET may be redirected where no other call belongs.
    let isForAll = method === "POST";
    for (let redirects = 0; ; redirects += 1) {
      const response = await callBackend({ ...request, url, proxy: this.proxy, extra: this.headers });
      const redirect = redirectIn(response, url, hostIn(request.head));
      if (redirect === undefined) {
        if (url === first) this.#confirm(base, method, response.status);
        else if (isForAll) this.#learn(url, response);
        return { response, url };
      }
      await response.body?.cancel();
      if (redirect.kind === "elsewhere") throw this.#refuse(redirect);
      if (redirects === MAX_REDIRECTS) throw failure("the MCP server redirects in a circle");
      if (request.body instanceof ReadableStream) {
        this.#forget();
        throw failure("the MCP server has moved to another path, where the next request will reach it");
      }
      url = redirect.url;
      isForAll &&= redirect.keepsQuery;
    }
  }

  #confirm(base: string, method: string, status: number): void {
    // Another request may have found out more in the meantime.
    if (base !== this.#url) return;
    this.#isSettled = true;
    // The server may have gone back to the URL that it redirected before. A GET or DELETE shows nothing: many servers have none.
    if (base !== this.#options.url && method === "POST" && IS_NOT_HERE.has(status)) this.#forget();
  }

  /** Remembers the URL to which a call was redirected, if an MCP server answered there. */
  #learn(url: string, { status, headers }: Response): void {
    if (IS_NOT_HERE.has(status) || !speaksMcp(status, headers.get("content-type"))) return;
    const moved = new URL(url);
    moved.search = "";
    this.#url = moved.href;
    this.#isSettled = true;
  }

  #forget(): void {
    this.#url = this.#options.url;
    this.#isSettled = false;
  }

  /**
   * Finds the server's URL before a body is streamed to it. The request is an empty POST: it is redirected as a call
   * would be, and every MCP server rejects it.
   */
  #find(publicHost: string | undefined): Promise<string> {
    this.#finding ??= this.probe(publicHost)
      .then(({ url }) => url)
      .finally(() => {
        this.#finding = undefined;
      });
    return this.#finding;
  }

  /**
   * Sends an empty POST, as a caller of the public host would. Resolves with what the server made of it; without an
   * answer only the URL is there.
   */
  async probe(publicHost: string | undefined): Promise<Probe> {
    const forwarded: HeaderPairs = publicHost === undefined ? [] : [["x-forwarded-host", publicHost]];
    const request = {
      head: { method: "POST", path: "/", headers: [...PROBE_HEADERS, ...forwarded] },
      query: "",
      key: undefined,
      body: undefined,
      signal: AbortSignal.timeout(FIND_TIMEOUT_MS),
      isRepeatable: true,
    };
    try {
      const { response, url } = await this.#follow(request, this.#url);
      await response.body?.cancel();
      return { url, response };
    } catch {
      // The call that follows meets the same failure and reports it. A server that is silent is not asked again.
      if (request.signal.aborted) this.#isSettled = true;
      return { url: this.#url, response: undefined };
    }
  }

  #refuse({ status, place }: { readonly status: number; readonly place: string }): FailedCall {
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      const hint = "set the relay's URL to the address at which the MCP server itself answers";
      this.#options.log.warn("upstream.redirects", { status, to: place, hint });
    }
    return failure("the MCP server redirects to another address, which a relay does not follow");
  }
}

const PROBE_HEADERS: HeaderPairs = [
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
];

function failure(message: string): FailedCall {
  return new FailedCall({ code: "upstream_error", message });
}

/** Whether an answer looks like an MCP server's, and not like a page to which a gateway sends callers. */
function speaksMcp(status: number, contentType: string | null): boolean {
  return status === 202 || status === 204 || /^(?:application\/json|text\/event-stream)\b/i.test(contentType ?? "");
}

/** Returns the host by which the caller knows the server. */
function hostIn({ headers }: RequestHead): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === "x-forwarded-host")?.[1];
}

function withQuery(url: string, query: string): string {
  if (query === "") return url;
  const target = new URL(url);
  // Assigning the query cannot change any other part of the URL.
  target.search = query;
  return target.href;
}
