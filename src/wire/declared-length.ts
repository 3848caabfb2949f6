import type { HeaderPairs } from "./frame.ts";

/** Returns the length in bytes that headers declare for a body; undefined if they declare none that is a plain number. */
export function declaredLength(headers: HeaderPairs): number | undefined {
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  return length === undefined ? undefined : toLength(length);
}

/** Returns the value of a Content-Length header; undefined if it is not a plain number. JavaScript counts 15 digits exactly. */
export function toLength(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
