import type { Listener } from "./listener.ts";

/** One request on its way through the server, made once by the app's first hook and handed to every part that serves it. */
export interface Visit {
  readonly request: Request;
  readonly requestId: string;
  /** Sets headers that the answer carries, whatever it is; asked when its head is sent. Absent: none. */
  limits?: { setHeaders(headers: Headers): void } | undefined;
  /** The address at the other end of the connection, looked up when it is first asked for and kept from then on. */
  address(): string | undefined;
}

/** The listener's part in a visit. */
type AddressBook = Pick<Listener, "addressOf">;

export function createVisit(request: Request, requestId: string, listener: AddressBook): Visit {
  return new ListenerVisit(request, requestId, listener);
}

class ListenerVisit implements Visit {
  readonly request: Request;
  readonly requestId: string;
  limits: Visit["limits"];
  readonly #listener: AddressBook;
  #isLookedUp = false;
  #address: string | undefined;

  constructor(request: Request, requestId: string, listener: AddressBook) {
    this.request = request;
    this.requestId = requestId;
    this.#listener = listener;
  }

  address(): string | undefined {
    if (!this.#isLookedUp) {
      this.#isLookedUp = true;
      const { request } = this;
      this.#address = this.#listener.addressOf(request);
    }
    return this.#address;
  }
}
