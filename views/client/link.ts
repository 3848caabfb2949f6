import type { Envelope } from "./state-types.ts";

/** The state of the page's connection to the server. */
export type LinkState = "connecting" | "live" | "reconnecting" | "signed_out";

export interface LinkOptions {
  /** The query that says whose state to follow, with its question mark; empty for the server that answers. */
  readonly query: () => string;
  readonly onEnvelope: (envelope: Envelope) => void;
  readonly onChange: (state: LinkState) => void;
  /** Called with true when answers arrive but events do not, because a proxy holds them back, and with false when they do. */
  readonly onHeldBack: (isHeldBack: boolean) => void;
  /** Called when the server whose state is followed is not in the cluster. */
  readonly onUnknown: () => void;
}

/** The first and the longest pause between attempts to reconnect, in milliseconds. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 15_000;
/** How long to wait for the first event, which the server sends at once, before it counts as held back. */
const FIRST_EVENT_MS = 8000;

/** Follows the state's stream for as long as the page is open, and reconnects when it breaks. */
export class Link {
  readonly #options: LinkOptions;
  #source: EventSource | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #lateTimer: number | undefined;
  #pauseTimer: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  open(): void {
    const source = new EventSource(`/api/state/stream${this.#options.query()}`);
    this.#source = source;
    this.#lateTimer = window.setTimeout(() => void this.#askWhy(), FIRST_EVENT_MS);
    source.addEventListener("message", (event: MessageEvent<string>) => {
      if (source !== this.#source) return;
      window.clearTimeout(this.#lateTimer);
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#options.onHeldBack(false);
      this.#options.onEnvelope(JSON.parse(event.data) as Envelope); // the server's own
      this.#options.onChange("live");
    });
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#options.onChange("reconnecting");
      // The browser retries by itself, but gives up on any answer that is not an event stream.
      if (source.readyState === EventSource.CLOSED) void this.#retry();
    });
  }

  /** Follows another server's state from now on. */
  reopen(): void {
    this.#close();
    window.clearTimeout(this.#pauseTimer);
    this.#pauseMs = FIRST_PAUSE_MS;
    this.open();
  }

  async #retry(): Promise<void> {
    const source = this.#source;
    this.#close();
    const status = await statusOf(`/api/state${this.#options.query()}`);
    // Another server was chosen meanwhile.
    if (source !== this.#source) return;
    if (status === 401) return this.#options.onChange("signed_out");
    if (status === 404) return this.#options.onUnknown();
    this.#pauseTimer = window.setTimeout(() => this.open(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS);
  }

  async #askWhy(): Promise<void> {
    const status = await statusOf(`/api/state${this.#options.query()}`);
    if (status === 200 && this.#source?.readyState !== EventSource.CLOSED) this.#options.onHeldBack(true);
  }

  #close(): void {
    window.clearTimeout(this.#lateTimer);
    this.#source?.close();
  }
}

/** Returns the status of an answer; 0 if there is none. */
async function statusOf(path: string): Promise<number> {
  try {
    const response = await fetch(path, { cache: "no-store" });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}
