import { isRecord, parseJson } from "../json/parse.ts";
import { cleanText } from "../wire/clean-text.ts";
import type { AdminTarget } from "./admin-target.ts";
import { CommandFault } from "./command-fault.ts";
import { Late } from "./late.ts";

/** The exit code if the server refuses a request, or cannot be reached. */
const EXIT_REFUSED = 1;
/** The most keys of one page. */
const PAGE = 1000;

/** A JSON object in an answer of the server. */
export type Json = Readonly<Record<string, unknown>>;

export interface RequestOptions {
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly onHeaders?: (headers: Headers) => void;
}

/** Sends the requests of a command. Every method rejects with a `CommandFault`, which says what to do, if one fails. */
export class AdminClient {
  readonly #target: AdminTarget;
  readonly #flags: readonly string[];

  /** `flags` are those of the command, by which errors name the fields that the server refuses. */
  constructor(target: AdminTarget, flags: readonly string[]) {
    this.#target = target;
    this.#flags = flags;
  }

  /** Where the command acts, for people. */
  get place(): string {
    const { directory, base } = this.#target;
    return directory === undefined ? base : `${directory}, which no server is using`;
  }

  /** The URL of the server; undefined for a file. */
  get address(): string | undefined {
    const { directory, base } = this.#target;
    return directory === undefined ? base : undefined;
  }

  async json(
    method: string,
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Json> {
    const json = parseJson(await this.text(method, path, { body, headers }));
    if (isRecord(json)) return json;
    throw new CommandFault(`${this.place} did not answer like a Moorage server. Check the address.`, EXIT_REFUSED);
  }

  async text(method: string, path: string, options: RequestOptions = {}): Promise<string> {
    const { response, late } = await this.#send(method, path, options);
    try {
      return await response.text();
    } catch (error) {
      throw new CommandFault(unreachable(this.#target, error), EXIT_REFUSED);
    } finally {
      late.stop();
    }
  }

  /** Passes a long text on as it arrives, and fails if it is not complete. */
  async stream(path: string, options: RequestOptions, out: (text: string) => void): Promise<void> {
    const { response, late } = await this.#send("GET", path, options);
    const decoder = new TextDecoder();
    try {
      for await (const piece of response.body ?? []) {
        late.again();
        out(decoder.decode(piece, { stream: true }));
      }
    } catch {
      throw new CommandFault(`${this.place} broke the answer off, so it is not complete. Try again.`, EXIT_REFUSED);
    } finally {
      late.stop();
    }
  }

  /** Sends a request and resolves to an answer that is no refusal. `late` aborts it, and MUST be stopped. */
  async #send(
    method: string,
    path: string,
    { body, headers = {}, onHeaders }: RequestOptions,
  ): Promise<{ readonly response: Response; readonly late: Late }> {
    const { base, key, send } = this.#target;
    const late = new Late();
    const request = new Request(base + path, {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      signal: late.signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    let response: Response;
    let refusal: string | undefined;
    try {
      response = await send(request);
      if (!response.ok) refusal = await response.text();
    } catch (error) {
      late.stop();
      throw new CommandFault(unreachable(this.#target, error), EXIT_REFUSED);
    }
    if (refusal !== undefined) {
      late.stop();
      throw new CommandFault(this.#refusal(response, refusal), EXIT_REFUSED);
    }
    onHeaders?.(response.headers);
    return { response, late };
  }

  /** Lists all keys that a query asks for, page by page. */
  keys(query: Readonly<Record<string, string>> = {}): Promise<readonly Json[]> {
    return this.#all("/api/keys", "id", query);
  }

  /** Lists all tenants that have limits, page by page. */
  tenants(): Promise<readonly Json[]> {
    return this.#all("/api/tenants", "name", {});
  }

  /** Lists the entries on all pages. `by` is the field whose last value the next page begins after. */
  async #all(path: string, by: string, query: Readonly<Record<string, string>>): Promise<readonly Json[]> {
    const all: Json[] = [];
    let after: Readonly<Record<string, string>> = {};
    for (;;) {
      const search = new URLSearchParams({ ...query, limit: String(PAGE), ...after });
      const { data, has_more: hasMore } = await this.json("GET", `${path}?${search}`);
      const page = Array.isArray(data) ? data.filter(isRecord) : [];
      all.push(...page);
      const last = page.at(-1)?.[by];
      if (hasMore !== true || typeof last !== "string") return all;
      after = { after: last };
    }
  }

  /**
   * Returns the id of the key that a word means: an id, or the name of a single key, of one kind if that is given. Ended keys
   * count if no other has it.
   */
  async keyId(word: string, kind?: string): Promise<string> {
    if (word.startsWith("file:")) return word;
    // A person who has the key at hand need not know its id, and the secret part of it is not sent.
    const id = /^m[kj]_([0-9a-z]{12})(?:_|$)/.exec(word)?.[1];
    if (id !== undefined) return id;
    const named = await this.keys({ name: word, ...(kind !== undefined && { kind }) });
    const active = named.filter(({ status }) => status === "active");
    const [found, ...others] = active.length > 0 ? active : named;
    if (!found && /^[0-9a-z]{12}$/.test(word)) return word;
    if (!found) {
      const [what, command] = kind === "join" ? ["join token", "join-token"] : ["key", "keys"];
      throw new CommandFault(
        `No ${what} has this name or id. \`moorage ${command} list --all\` lists all of them.`,
        EXIT_REFUSED,
      );
    }
    if (others.length === 0) return String(found["id"]);
    const ids = [found, ...others].map(({ id: each }) => String(each)).join(", ");
    throw new CommandFault(`Several keys have this name. Use an id instead: ${cleanText(ids)}.`, EXIT_REFUSED);
  }

  #refusal({ status, headers }: Response, text: string): string {
    const { base, key } = this.#target;
    if (status >= 300 && status < 400)
      return `${base} redirects to another address (${cleanText(headers.get("location") ?? "unknown")}). Give that one with --server.`;
    const body = parseJson(text);
    const error: unknown = isRecord(body) ? body["error"] : undefined;
    if (!isRecord(error) || typeof error["code"] !== "string")
      return `${base} answered with status ${status}, and not like a Moorage server. Check the address.`;
    const message = cleanText(String(error["message"]));
    if (status === 401 && key === undefined)
      return `${base} requires an operator's key. Set the environment variable ADMIN_KEY.`;
    if (status === 401) return `${base} does not accept the key in ADMIN_KEY (API_KEY if that is not set): ${message}`;
    if (error["code"] === "unknown_url")
      return new URL(base).pathname === "/"
        ? `${base} has no route for this. It may be older than this program.`
        : `${base} has no route for this. Leave out the path, unless a proxy needs it.`;
    return this.#byFlag(message, error["param"]);
  }

  /** Names the field of a refused request by the flag that set it: `limits.parallel` by `--parallel`. */
  #byFlag(message: string, param: unknown): string {
    if (typeof param !== "string") return message;
    const flag = OTHER_NAMES.get(param) ?? param.replace(/^limits\./, "").replaceAll("_", "-");
    return this.#flags.includes(flag) ? message.replace(`'${param}'`, `--${flag}`) : message;
  }
}

/** The flags whose names are not those of their fields. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([["max_uses", "uses"]]);

function unreachable({ base, inUse }: AdminTarget, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const reason = isLate ? "no answer in time" : code;
  if (inUse !== undefined)
    return `A server uses ${inUse}, but none answers at ${base} (${reason}). Give the URL of that server with --server or SERVER_URL.`;
  return `No server answers at ${base} (${reason}). Start it, or give the URL of another one with --server. If the server is not running, --data-dir opens its database.`;
}
