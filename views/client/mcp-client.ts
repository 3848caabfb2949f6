import { assertOk, Refusal } from "./answers.ts";
import { eventsOf } from "./events.ts";

/** A tool of an MCP server, as the server describes it. */
export interface Tool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
}

interface RpcMessage {
  readonly id?: number | string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
  readonly method?: string;
}

interface RpcCall {
  readonly jsonrpc: "2.0";
  readonly id?: number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

const SESSION_VERSION = "2025-11-25";
const STATELESS_VERSION = "2026-07-28";
const CLIENT = { name: "moorage-dashboard", version: "1" } as const;
/** The most pages of a list of tools that are read. */
const MAX_PAGES = 20;

/** An MCP client that can list and call tools, for servers with sessions and for stateless ones. */
export class McpClient {
  readonly #url: string;
  readonly #token: string;
  #session: string | undefined;
  #isStateless = false;
  #lastId = 0;

  /** `token` is the relay's; empty if it needs none. */
  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** Opens a session, or finds out that the server is stateless. */
  async open(): Promise<void> {
    try {
      const params = { protocolVersion: SESSION_VERSION, capabilities: {}, clientInfo: CLIENT };
      await this.#request("initialize", params);
      await this.#send({ jsonrpc: "2.0", method: "notifications/initialized" });
    } catch (error) {
      // A server of the newer era has no `initialize`, and refuses the version or the method.
      if (!(error instanceof Refusal) || !["-32022", "-32020", "-32601", "-32600"].includes(error.code)) throw error;
      this.#isStateless = true;
    }
  }

  async tools(): Promise<readonly Tool[]> {
    const tools: Tool[] = [];
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const result = await this.#request("tools/list", cursor === undefined ? {} : { cursor });
      tools.push(...((result["tools"] as readonly Tool[] | undefined) ?? [])); // names are shown as text, schemas are checked where read
      cursor = result["nextCursor"];
      if (typeof cursor !== "string" || cursor === "") break;
    }
    return tools;
  }

  call(name: string, args: unknown, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    return this.#request("tools/call", { name, arguments: args }, signal);
  }

  /** Ends the session, if there is one. */
  async close(): Promise<void> {
    if (this.#session === undefined) return;
    await fetch(this.#url, { method: "DELETE", headers: this.#headers(undefined, undefined) }).catch(() => {});
    this.#session = undefined;
  }

  async #request(
    method: string,
    params: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const meta = {
      "io.modelcontextprotocol/protocolVersion": STATELESS_VERSION,
      "io.modelcontextprotocol/clientInfo": CLIENT,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const sent = this.#isStateless ? { ...params, _meta: meta } : params;
    const response = await this.#send({ jsonrpc: "2.0", id, method, params: sent }, signal);
    for await (const message of messagesOf(response)) {
      if (message.id !== id || message.method !== undefined) continue;
      if (message.error) throw new Refusal(message.error.message, String(message.error.code));
      return message.result ?? {};
    }
    throw new Refusal("The response ended without a result.", "no_result");
  }

  async #send(message: RpcCall, signal?: AbortSignal): Promise<Response> {
    const name = message.params?.["name"];
    const headers = this.#headers(message.method, typeof name === "string" ? name : undefined);
    const init = { method: "POST", headers, body: JSON.stringify(message), ...(signal ? { signal } : {}) };
    const response = await fetch(this.#url, init);
    if (response.status === 401) throw new Refusal("This relay requires its token.", "unauthorized");
    await assertOk(response);
    this.#session = response.headers.get("mcp-session-id") ?? this.#session;
    return response;
  }

  #headers(method: string | undefined, name: string | undefined): Record<string, string> {
    return {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(this.#session === undefined ? {} : { "mcp-session-id": this.#session }),
      ...(method === "initialize"
        ? {}
        : { "mcp-protocol-version": this.#isStateless ? STATELESS_VERSION : SESSION_VERSION }),
      ...(this.#isStateless && method !== undefined ? { "mcp-method": method } : {}),
      ...(this.#isStateless && name !== undefined ? { "mcp-name": name } : {}),
    };
  }
}

async function* messagesOf(response: Response): AsyncGenerator<RpcMessage> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) {
    yield (await response.json()) as RpcMessage; // members are checked where they are read
    return;
  }
  for await (const data of eventsOf(response)) {
    if (data !== "") yield JSON.parse(data) as RpcMessage; // as above
  }
}
