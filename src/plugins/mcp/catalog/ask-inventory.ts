import { isRecord, parseJson } from "../../../json/parse.ts";
import type { Clock } from "../../../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../../tunnel/exchange.ts";
import type { Session } from "../../../tunnel/session.ts";
import { cleanText } from "../../../wire/clean-text.ts";
import type { ResponseHead } from "../../../wire/heads.ts";
import type { McpCaller } from "../../../wire/mcp-call.ts";
import {
  INVENTORY_PATH,
  type InventoryFacts,
  MAX_INVENTORY_BYTES,
  toInventoryFacts,
} from "../../../wire/mcp-inventory.ts";

/** How long a relay may take. It gives its MCP server 20 s, and may wait for a reading that began before. */
const ASK_MS = 45_000;
/** The most characters of a relay's reason. */
const MAX_REASON_CHARS = 300;

/** What a relay has told about its MCP server, or why it has told nothing. */
export type Told =
  | { readonly kind: "told"; readonly facts: InventoryFacts }
  | { readonly kind: "untold"; readonly why: string };

/** Returns the request for the inventory as a relay gets it: for what one caller may use, or for everything. */
export function inventoryRequest(requestId: string, caller?: McpCaller): ExchangeRequest {
  const head = {
    method: "GET",
    path: INVENTORY_PATH,
    headers: [["x-request-id", requestId] as const],
    timeout_ms: ASK_MS,
    ...(caller ? { caller } : {}),
  };
  return { head, body: new Uint8Array(0) };
}

/** Sends the request over a session, and gives it up when `signal` aborts. Never rejects. */
export function askInventory(
  session: Session,
  request: ExchangeRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<Told> {
  if (signal.aborted) return Promise.resolve(untold(NO_ANSWER));
  return new Promise((resolve) => {
    const answer = new InventoryAnswer((told) => {
      cancelTimer();
      signal.removeEventListener("abort", giveUp);
      resolve(told);
    });
    const giveUp = (): void => answer.exchange?.cancel("canceled");
    signal.addEventListener("abort", giveUp);
    const cancelTimer = clock.after(ASK_MS, () => answer.exchange?.cancel("timeout"));
    answer.exchange = session.open(request, answer);
  });
}

/** Collects the answer up to its limit. */
class InventoryAnswer implements ExchangeSink {
  exchange: Exchange | undefined;
  readonly #onTold: (told: Told) => void;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #status: number | undefined;

  constructor(onTold: (told: Told) => void) {
    this.#onTold = onTold;
  }

  onHead({ status }: ResponseHead): void {
    this.#status = status;
  }

  onData(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_INVENTORY_BYTES) {
      this.#pieces.length = 0;
      return this.exchange?.cancel("canceled");
    }
    // The memory of a piece may be used again once this returns.
    this.#pieces.push(bytes.slice());
    this.exchange?.consumed(bytes.length);
  }

  onEnd(end: ExchangeEnd): void {
    this.#onTold(this.#bytes > MAX_INVENTORY_BYTES ? untold(TOO_LARGE) : this.#told(end));
  }

  onSettled(): void {}

  #told(end: ExchangeEnd): Told {
    if (end.kind !== "complete") return untold(NO_ANSWER);
    const body = parseJson(Buffer.concat(this.#pieces).toString());
    if (this.#status === 403) return untold(OLD_WORKER);
    const facts = this.#status === 200 ? toInventoryFacts(body) : undefined;
    if (facts) return { kind: "told", facts };
    const message = isRecord(body) ? body["message"] : undefined;
    return untold(typeof message === "string" ? cleanText(message.slice(0, MAX_REASON_CHARS)) : NO_ANSWER);
  }
}

const TOO_LARGE = "What the relay tells is too large.";
const NO_ANSWER = "The relay does not answer.";
/** Why nothing is known of a relay with an earlier program. */
export const OLD_WORKER = "The relay's worker has an earlier version, which does not tell its tools. Update it.";

function untold(why: string): Told {
  return { kind: "untold", why };
}
