import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  ProgressToken,
  RequestId,
} from "@modelcontextprotocol/server";
import type { MemberLink } from "./link.ts";

interface Asked {
  readonly link: MemberLink;
  readonly id: RequestId;
  readonly token: ProgressToken | undefined;
}

/** The most requests of servers that a client may leave unanswered. */
const MAX_ASKED = 1000;

/** The requests of servers to one client, such as for sampling. Each gets an id that is unique among all servers. */
export class AskedBack {
  readonly #asked = new Map<number, Asked>();
  #count = 0;

  /** Returns a server's request as its client sees it; undefined if too many are unanswered. */
  toClient(link: MemberLink, request: JSONRPCRequest): JSONRPCRequest | undefined {
    if (this.#asked.size >= MAX_ASKED) return undefined;
    this.#count += 1;
    const id = this.#count;
    const token = request.params?._meta?.progressToken;
    this.#asked.set(id, { link, id: request.id, token });
    if (token === undefined) return { ...request, id };
    return { ...request, id, params: { ...request.params, _meta: { ...request.params?._meta, progressToken: id } } };
  }

  /** Passes the client's answer on to the server that has asked. */
  answer(response: JSONRPCResponse): void {
    const asked = this.#of(response.id);
    if (!asked) return;
    this.#asked.delete(Number(response.id));
    asked.link.tell({ ...response, id: asked.id });
  }

  /** Passes the client's report of progress on. */
  progress(message: JSONRPCNotification): void {
    const asked = this.#of(message.params?.["progressToken"]);
    if (asked?.token === undefined) return;
    asked.link.tell({ ...message, params: { ...message.params, progressToken: asked.token } });
  }

  /** Returns what the client has to hear of a request that its server has cancelled. */
  cancelled(link: MemberLink, message: JSONRPCNotification): JSONRPCNotification | undefined {
    for (const [id, asked] of this.#asked) {
      if (asked.link !== link || asked.id !== message.params?.["requestId"]) continue;
      this.#asked.delete(id);
      return { ...message, params: { ...message.params, requestId: id } };
    }
    return undefined;
  }

  /** Forgets the requests of a server that has ended. */
  forget(link: MemberLink): void {
    for (const [id, asked] of this.#asked) if (asked.link === link) this.#asked.delete(id);
  }

  #of(id: unknown): Asked | undefined {
    return typeof id === "number" ? this.#asked.get(id) : undefined;
  }
}
