/** What a plugin may use of the cluster that its server belongs to. */
export interface ClusterPorts {
  /** The id of this server. */
  readonly serverId: string;
  readonly calls: Calls;
}

/** Questions to single servers of the cluster, and their answers, as JSON. For what is small and rare: control, not data. */
export interface Calls {
  /**
   * Answers the questions of one kind. `body` is what another server has sent, so it MUST be parsed. A handler that throws
   * gives the result `failed`. There is one handler for each kind.
   */
  answer(kind: string, handler: CallHandler): void;
  /** Asks a server, this one included, and waits up to `ms` for the answer. Never rejects. */
  ask(serverId: string, kind: string, body: unknown, ms: number): Promise<CallResult>;
}

/** Returns the answer, which MUST be JSON. `from` is the id of the server that asks. */
export type CallHandler = (body: unknown, from: string) => unknown;

/**
 * The end of a question. Only with `nobody`, `unknown` and `too_large` is it certain that the other server did nothing.
 * - `nobody`: no server of this id is there.
 * - `unknown`: the server knows no questions of this kind, because it has another version or other plugins.
 * - `late`: no answer came in time. `down`: the connection between the servers is broken.
 * - `failed`: the handler threw, or its answer cannot be sent. The other server has logged it.
 */
export type CallResult =
  | { readonly kind: "answer"; readonly body: unknown }
  | { readonly kind: "nobody" | "unknown" | "too_large" | "late" | "down" | "failed" };
