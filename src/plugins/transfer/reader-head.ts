import type { HeaderPairs, RequestHead, ResponseHead } from "../../wire/heads.ts";
import { writerHeaders } from "./headers.ts";
import type { Outcome } from "./passage.ts";

/** The kind of the exchanges by which the writer's server sends the bytes to the reader's. */
export const CHANNEL_KIND = "channel";

/** The header that says how the transfer ended for the reader, which the status alone does not say. */
const OUTCOME_HEADER = "x-moorage-outcome";
const OUTCOMES: readonly Outcome[] = ["completed", "writer_gone", "reader_gone", "wrong_length", "stalled", "closed"];

/** Returns the head of the request to the reader's server, which knows the reader by the ticket. */
export function toChannelHead(ticket: string, writer: Headers, length: number | undefined): RequestHead {
  const headers: HeaderPairs = [
    ...writerHeaders(writer),
    ...(length === undefined ? [] : [["content-length", String(length)] as const]),
  ];
  return { kind: CHANNEL_KIND, method: "POST", path: `/${ticket}`, headers };
}

/** Returns the ticket in such a head. */
export function ticketIn({ path }: RequestHead): string {
  return path.slice(1);
}

/** Returns the answer of the reader's server. */
export function toOutcomeHead(outcome: Outcome): ResponseHead {
  return { status: outcome === "completed" ? 200 : 502, headers: [[OUTCOME_HEADER, outcome]] };
}

/** Returns the outcome in such an answer. Only an answer that says so means that the reader has received everything. */
export function outcomeIn({ headers }: ResponseHead): Outcome {
  const told = headers.find(([name]) => name === OUTCOME_HEADER)?.[1];
  return OUTCOMES.find((known) => known === told) ?? "reader_gone";
}
