import type { HeaderPairs, ResponseHead } from "../wire/frame.ts";

/** What an answer's body is to the server that passes it on. */
export type BodyKind =
  /** An event stream in plain text: comments and events of the server's own may stand between its events. */
  | "events"
  /** An event stream under a content coding. It may be quiet for long, but nothing can be put between its bytes. */
  | "coded events"
  /** Anything else: bytes that end soon, and that nothing can be added to. */
  | "other";

/** Decides what may be done to an answer's body, by the head alone. The only place that looks at these headers. */
export function bodyKind({ headers }: ResponseHead): BodyKind {
  if (!headerValue(headers, "content-type")?.startsWith("text/event-stream")) return "other";
  return isCoded(headers) ? "coded events" : "events";
}

/** Whether a body is compressed, or under any other content coding. The server never decodes one. */
export function isCoded(headers: HeaderPairs): boolean {
  return headers.some(([name, value]) => isNamed(name, "content-encoding") && !PLAIN.has(value.trim().toLowerCase()));
}

const PLAIN: ReadonlySet<string> = new Set(["", "identity"]);

/** A header's first value, in lower case. */
function headerValue(headers: HeaderPairs, wanted: string): string | undefined {
  return headers.find(([name]) => isNamed(name, wanted))?.[1].toLowerCase();
}

/** Compares lengths first: every answer's head is looked at, and most of its headers are others. */
function isNamed(name: string, wanted: string): boolean {
  return name.length === wanted.length && name.toLowerCase() === wanted;
}
