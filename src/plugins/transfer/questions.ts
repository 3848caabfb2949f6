import { ERRORS, type ErrorCode, Fault } from "../../errors.ts";
import { isRecord } from "../../json/parse.ts";
import type { CallResult, Calls } from "../../plugin/cluster.ts";
import type { EndFacts, Role } from "./ends.ts";

// The questions that servers ask each other about channels. A side is named by a ticket of its server, a channel by its id.

/** How long another server may take to answer. */
const ANSWER_MS = 2000;
/** The longest text that is read. */
const MAX_CHARS = 512;

/** A client that asks the owner of a channel for its place. */
export interface Joining {
  readonly id: string;
  readonly role: Role;
  readonly ticket: string;
  readonly facts: EndFacts;
}

/** The answer to a side that asks for its place. `absent`: there is no such channel. `silent`: the owner has not answered. */
export type Joined =
  | { readonly kind: "waits"; readonly expiresInMs: number }
  | { readonly kind: "refused"; readonly fault: Fault }
  | { readonly kind: "absent" }
  | { readonly kind: "silent" };

/** The order to the writer's server to send the bytes to the reader's. */
export interface Passing {
  readonly writer: string;
  readonly reader: { readonly server: string; readonly ticket: string; readonly facts: EndFacts };
}

/**
 * The outcome of that order. `reader_gone` and `writer_gone`: that side is no longer at its server. `failed`: the two servers
 * cannot reach each other, or the outcome is unknown.
 */
export type Passed = "passing" | "reader_gone" | "writer_gone" | "failed";
const PASSED: readonly Passed[] = ["passing", "reader_gone", "writer_gone", "failed"];

/** Asks other servers. Nothing here rejects. */
export class Questions {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Asks the owner of a channel for a place. */
  async join(server: string, { id, role, ticket, facts }: Joining): Promise<Joined> {
    const result = await this.#ask(server, "transfer_join", { id, role, ticket, facts: toWire(facts) });
    if (result.kind === "nobody" || result.kind === "unknown") return { kind: "absent" };
    if (result.kind !== "answer" || !isRecord(result.body)) return { kind: "silent" };
    const { expires_in_ms: expiresInMs } = result.body;
    if (typeof expiresInMs === "number") return { kind: "waits", expiresInMs };
    const fault = toFault(result.body["refused"]);
    return fault.code === "transfer_not_found" ? { kind: "absent" } : { kind: "refused", fault };
  }

  /** Asks the owner whether a reader could come. Returns undefined if so. */
  async look(server: string, id: string): Promise<Fault | undefined> {
    const result = await this.#ask(server, "transfer_look", { id });
    if (result.kind === "nobody" || result.kind === "unknown") return new Fault("transfer_not_found");
    if (result.kind !== "answer" || !isRecord(result.body)) return silentFault(server);
    return result.body["refused"] === undefined ? undefined : toFault(result.body["refused"]);
  }

  /** Tells the owner that a side has left. */
  leave(server: string, id: string, ticket: string): void {
    void this.#ask(server, "transfer_leave", { id, ticket });
  }

  /** Asks the reader's server whether the reader is still there. */
  async meet(server: string, ticket: string): Promise<boolean> {
    const result = await this.#ask(server, "transfer_meet", { ticket });
    return result.kind === "answer" && isRecord(result.body) && result.body["there"] === true;
  }

  /** Tells the writer's server to send. */
  async pass(server: string, { writer, reader }: Passing): Promise<Passed> {
    const result = await this.#ask(server, "transfer_pass", {
      writer,
      reader: { server: reader.server, ticket: reader.ticket, facts: toWire(reader.facts) },
    });
    if (result.kind === "nobody") return "writer_gone";
    if (result.kind !== "answer" || !isRecord(result.body)) return "failed";
    const { outcome } = result.body;
    return PASSED.find((known) => known === outcome) ?? "failed";
  }

  /** Tells a side's server that the side keeps waiting, because the other side has left. */
  wait(server: string, ticket: string, expiresInMs: number): void {
    void this.#ask(server, "transfer_wait", { ticket, expires_in_ms: expiresInMs });
  }

  /** Tells a side's server why the side gets nothing. */
  refuse(server: string, ticket: string, code: ErrorCode): void {
    void this.#ask(server, "transfer_refuse", { ticket, code });
  }

  #ask(server: string, kind: string, body: object): Promise<CallResult> {
    return this.#calls.ask(server, kind, body, ANSWER_MS);
  }
}

/** Answers the questions. Handlers get only what could be parsed. */
export interface Answers {
  /** Returns how long the channel waits for its other side. Throws a `Fault`. */
  join(server: string, joining: Joining): number;
  /** Throws a `Fault`. */
  look(id: string): void;
  leave(server: string, id: string, ticket: string): void;
  meet(ticket: string): boolean;
  pass(passing: Passing): Passed;
  wait(ticket: string, expiresInMs: number): void;
  refuse(ticket: string, fault: Fault): void;
}

/** Registers the handlers, so that other servers can ask. */
export function answerQuestions(calls: Calls, answers: Answers): void {
  const on = (kind: string, handler: (body: Readonly<Record<string, unknown>>, from: string) => object): void =>
    calls.answer(kind, (body, from) => {
      if (!isRecord(body)) throw new TypeError(`${kind} without a body`);
      return handler(body, from);
    });
  on("transfer_join", ({ id, role, ticket, facts }, from) =>
    orRefusal(() => {
      if (role !== "reader" && role !== "writer") throw new TypeError("a side that is neither reader nor writer");
      const joining = { id: textOf(id), role, ticket: textOf(ticket), facts: factsIn(facts) } as const;
      return { expires_in_ms: answers.join(from, joining) };
    }),
  );
  on("transfer_look", ({ id }) =>
    orRefusal(() => {
      answers.look(textOf(id));
      return {};
    }),
  );
  on("transfer_leave", ({ id, ticket }, from) => {
    answers.leave(from, textOf(id), textOf(ticket));
    return {};
  });
  on("transfer_meet", ({ ticket }) => ({ there: answers.meet(textOf(ticket)) }));
  on("transfer_pass", ({ writer, reader }) => {
    if (!isRecord(reader)) throw new TypeError("no reader");
    const { server, ticket, facts } = reader;
    return {
      outcome: answers.pass({
        writer: textOf(writer),
        reader: { server: textOf(server), ticket: textOf(ticket), facts: factsIn(facts) },
      }),
    };
  });
  on("transfer_wait", ({ ticket, expires_in_ms: ms }) => {
    answers.wait(textOf(ticket), typeof ms === "number" && ms >= 0 ? ms : 0);
    return {};
  });
  on("transfer_refuse", ({ ticket, code }) => {
    answers.refuse(textOf(ticket), toFault(code));
    return {};
  });
}

/** Creates the fault for a side if the server of its channel does not answer. */
export function silentFault(server: string): Fault {
  return new Fault("server_not_answering", {
    message: `The server '${server}', where this channel was created, did not answer. Try again shortly.`,
    retryAfterS: 1,
  });
}

function orRefusal(answer: () => object): object {
  try {
    return answer();
  } catch (error) {
    if (error instanceof Fault) return { refused: error.code };
    throw error;
  }
}

function toFault(code: unknown): Fault {
  const known = typeof code === "string" && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "internal_error"; // a key
  return new Fault(known, known === "draining" ? { retryAfterS: 5 } : {});
}

function toWire({ requestId, caller, address }: EndFacts): object {
  return { request: requestId, caller, ...(address === undefined ? {} : { address }) };
}

function factsIn(value: unknown): EndFacts {
  if (!isRecord(value)) throw new TypeError("no facts about a side");
  const { request, caller, address } = value;
  return {
    requestId: textOf(request),
    caller: textOf(caller),
    address: address === undefined ? undefined : textOf(address),
  };
}

function textOf(value: unknown): string {
  if (typeof value !== "string" || value.length > MAX_CHARS) throw new TypeError("not a text, or too long");
  return value;
}
