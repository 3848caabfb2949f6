import type { JSONRPCRequest } from "@modelcontextprotocol/server";

/** The most resources that one client may subscribe to, and the longest URI of one: together at most 4 MB of memory. */
const MAX_SUBSCRIPTIONS = 1000;
const MAX_URI_CHARS = 4096;

/** The part of a request that subscriptions depend on. */
export type Subject = Pick<JSONRPCRequest, "method" | "params">;

export function subjectOf({ method, params }: JSONRPCRequest): Subject {
  return { method, params: { uri: params?.["uri"] } };
}

/**
 * Remembers which clients of a shared process have subscribed to which resources. The process itself knows one subscriber
 * only.
 */
export class SharedSubscriptions<Client> {
  readonly #byUri = new Map<string, Set<Client>>();
  /** The number of resources that each client has subscribed to. */
  readonly #counts = new Map<Client, number>();

  /**
   * Returns the reason to refuse a subscription with which the client would have too many; undefined for any other
   * request.
   */
  refusalOf(client: Client, { method, params }: Subject): string | undefined {
    const uri = params?.["uri"];
    if (method !== "resources/subscribe" || typeof uri !== "string" || this.#byUri.get(uri)?.has(client))
      return undefined;
    if (uri.length <= MAX_URI_CHARS && (this.#counts.get(client) ?? 0) < MAX_SUBSCRIPTIONS) return undefined;
    return `A client of a shared MCP server may subscribe to ${MAX_SUBSCRIPTIONS} resources, with URIs of up to ${MAX_URI_CHARS} characters.`;
  }

  /** Notes a request that the process has answered with a result. */
  note(client: Client, { method, params }: Subject): void {
    const uri = params?.["uri"];
    if (typeof uri !== "string") return;
    if (method === "resources/unsubscribe") this.#remove(client, uri);
    if (method !== "resources/subscribe") return;
    const clients = this.#byUri.get(uri) ?? new Set();
    if (!clients.has(client)) this.#counts.set(client, (this.#counts.get(client) ?? 0) + 1);
    this.#byUri.set(uri, clients.add(client));
  }

  /**
   * Takes an `unsubscribe` that must not reach the process, because other clients still want the resource. Returns false for
   * any other request.
   */
  takeRedundant(client: Client, { method, params }: Subject): boolean {
    const uri = params?.["uri"];
    if (method !== "resources/unsubscribe" || typeof uri !== "string") return false;
    const clients = this.#byUri.get(uri);
    if (!clients?.has(client) || clients.size === 1) return false;
    this.#countDown(client);
    return clients.delete(client);
  }

  /** Returns the clients that want to know of a resource. */
  subscribersOf(uri: unknown): Iterable<Client> {
    return typeof uri === "string" ? (this.#byUri.get(uri) ?? []) : [];
  }

  /** Forgets a client. Returns the resources that nobody wants any more. */
  leave(client: Client): readonly string[] {
    const last = [...this.#byUri.keys()].filter((uri) => this.#remove(client, uri));
    this.#counts.delete(client);
    return last;
  }

  clear(): void {
    this.#byUri.clear();
    this.#counts.clear();
  }

  /** Returns whether the client was the last one. */
  #remove(client: Client, uri: string): boolean {
    const clients = this.#byUri.get(uri);
    if (!clients?.delete(client)) return false;
    this.#countDown(client);
    return clients.size === 0 && this.#byUri.delete(uri);
  }

  #countDown(client: Client): void {
    this.#counts.set(client, (this.#counts.get(client) ?? 1) - 1);
  }
}
