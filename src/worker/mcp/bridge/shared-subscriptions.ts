import type { JSONRPCRequest } from "@modelcontextprotocol/server";

/** Which clients of a shared process want to know of changes of which resources. The process knows one subscriber only. */
export class SharedSubscriptions<Client> {
  readonly #byUri = new Map<string, Set<Client>>();

  /** Notes a request that the process has answered with a result. */
  note(client: Client, { method, params }: JSONRPCRequest): void {
    const uri = params?.["uri"];
    if (typeof uri !== "string") return;
    if (method === "resources/unsubscribe") this.#remove(client, uri);
    if (method !== "resources/subscribe") return;
    const clients = this.#byUri.get(uri) ?? new Set();
    this.#byUri.set(uri, clients.add(client));
  }

  /**
   * Takes an `unsubscribe` that must not reach the process, because other clients still want the resource. Returns false for
   * any other request.
   */
  takeRedundant(client: Client, { method, params }: JSONRPCRequest): boolean {
    const uri = params?.["uri"];
    if (method !== "resources/unsubscribe" || typeof uri !== "string") return false;
    const clients = this.#byUri.get(uri);
    if (!clients?.has(client) || clients.size === 1) return false;
    return clients.delete(client);
  }

  /** Returns the clients that want to know of a resource. */
  subscribersOf(uri: unknown): Iterable<Client> {
    return typeof uri === "string" ? (this.#byUri.get(uri) ?? []) : [];
  }

  /** Forgets a client. Returns the resources that nobody wants any more. */
  leave(client: Client): readonly string[] {
    return [...this.#byUri.keys()].filter((uri) => this.#remove(client, uri));
  }

  clear(): void {
    this.#byUri.clear();
  }

  /** Returns whether the client was the last one. */
  #remove(client: Client, uri: string): boolean {
    const clients = this.#byUri.get(uri);
    if (!clients?.delete(client) || clients.size > 0) return false;
    return this.#byUri.delete(uri);
  }
}
