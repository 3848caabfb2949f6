import type { HeaderPairs, ResponseHead } from "../wire/heads.ts";
import { isContentCoding, isEventStreamType } from "../wire/response-progress.ts";

/** The kind of an answer's body, which decides what the server may do with it. */
export type BodyKind =
  /** An event stream in plain text: the server may insert its own comments and events between its events. */
  | "events"
  /** An event stream under a content coding. It may be quiet for long, but nothing can be inserted. */
  | "coded events"
  /** Any other body: bytes that end soon, into which nothing can be inserted. */
  | "other";

/** Decides what may be done to an answer's body, by the head alone. The only place that looks at these headers. */
export function bodyKind({ headers }: ResponseHead): BodyKind {
  if (!isEventStreamType(headerValue(headers, "content-type") ?? "")) return "other";
  return isCoded(headers) ? "coded events" : "events";
}

/** Whether a body is compressed, or under any other content coding. The server never decodes one. */
export function isCoded(headers: HeaderPairs): boolean {
  return headers.some(([name, value]) => isNamed(name, "content-encoding") && isContentCoding(value));
}

/** A header's first value, in lower case. */
function headerValue(headers: HeaderPairs, wanted: string): string | undefined {
  return headers.find(([name]) => isNamed(name, wanted))?.[1].toLowerCase();
}

/** Compares lengths first, because every header of every answer is compared, and most differ. */
function isNamed(name: string, wanted: string): boolean {
  return name.length === wanted.length && name.toLowerCase() === wanted;
}
