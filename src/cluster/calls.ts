import { isRecord, parseJson } from "../json/parse.ts";
import type { CallHandler, CallResult, Calls } from "../plugin/cluster.ts";
import type { Clock, Log } from "../system/deps.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import { SERVER_ID } from "../system/server-id.ts";
import { type Bus, type BusMessage, MAX_MESSAGE_BYTES, type Unsubscribe } from "./bus.ts";
import type { Subjects } from "./subjects.ts";

/** The most questions from other servers that are being answered at any time. Further questions fail at once. */
const MAX_ANSWERING = 1000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface ClusterCallsOptions {
  readonly serverId: string;
  readonly subjects: Subjects;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Asks single servers questions over the bus, and answers theirs. A question is `{kind, from, body}`, its answer `{ok}` or
 * `{error}`, where `error` is `unknown`, `too_large` or `failed` (docs/protocol.md, "Between servers").
 */
export class ClusterCalls implements Calls {
  readonly #options: ClusterCallsOptions;
  readonly #handlers = new Map<string, CallHandler>();
  readonly #unsubscribe: Unsubscribe;
  readonly #failures: RepeatedLines;
  #answering = 0;

  constructor(options: ClusterCallsOptions) {
    this.#options = options;
    const { bus, subjects, serverId, clock, log } = options;
    this.#failures = new RepeatedLines({ clock, write: (fields) => log.error("cluster.answer_failed", fields) });
    this.#unsubscribe = bus.subscribe(subjects.ask(serverId), (message) => void this.#onQuestion(message));
  }

  answer(kind: string, handler: CallHandler): void {
    if (this.#handlers.has(kind)) throw new Error(`two handlers for ${kind}`);
    this.#handlers.set(kind, handler);
  }

  async ask(server: string, kind: string, body: unknown, ms: number): Promise<CallResult> {
    const { serverId, bus, subjects } = this.#options;
    // Names come from operators and from other servers, and no subject can be made of some of them.
    if (!SERVER_ID.test(server)) return { kind: "nobody" };
    const question = encoder.encode(JSON.stringify({ kind, from: serverId, body }));
    if (question.byteLength > MAX_MESSAGE_BYTES) return { kind: "too_large" };
    // The bus does not deliver a message to its own sender.
    if (server === serverId) return toResult(await this.#answerTo(question));
    const reply = await bus.request(subjects.ask(server), question, ms);
    if (reply.kind === "reply") return toResult(reply.bytes);
    return { kind: reply.kind === "full" ? "down" : reply.kind };
  }

  /** Answers no more questions. */
  close(): void {
    this.#unsubscribe();
  }

  async #onQuestion(message: BusMessage): Promise<void> {
    message.respond(await this.#answerTo(message.bytes));
  }

  async #answerTo(question: Uint8Array): Promise<Uint8Array> {
    const { log } = this.#options;
    const asked = parseJson(decoder.decode(question));
    if (!isRecord(asked) || typeof asked["kind"] !== "string" || typeof asked["from"] !== "string")
      return failure("failed");
    const { kind, from } = asked as { kind: string; from: string }; // as the line above has found
    if (!SERVER_ID.test(from)) return failure("failed");
    const handler = this.#handlers.get(kind);
    if (!handler) return failure("unknown");
    if (this.#answering >= MAX_ANSWERING) return failure("failed");
    this.#answering += 1;
    try {
      const answer = encoder.encode(JSON.stringify({ ok: (await handler(asked["body"], from)) ?? null }));
      if (answer.byteLength <= MAX_MESSAGE_BYTES) return answer;
      log.error("cluster.answer_too_large", { kind, asked_by: from, bytes: answer.byteLength });
    } catch (error) {
      // A handler may have a bug, or the question is malformed, as another version may send it again and again. The server that
      // asks must not have to wait for its deadline because of it.
      const name = error instanceof Error ? error.name : typeof error;
      const stack = error instanceof Error ? error.stack?.slice(0, 2000) : undefined;
      this.#failures.note(kind, { kind, asked_by: from, error: name, stack }, { kind: "others" });
    } finally {
      this.#answering -= 1;
    }
    return failure("failed");
  }
}

function failure(error: "unknown" | "failed"): Uint8Array {
  return encoder.encode(JSON.stringify({ error }));
}

function toResult(answer: Uint8Array): CallResult {
  const parsed = parseJson(decoder.decode(answer));
  if (isRecord(parsed) && "ok" in parsed) return { kind: "answer", body: parsed["ok"] };
  return { kind: isRecord(parsed) && parsed["error"] === "unknown" ? "unknown" : "failed" };
}
