import type { HeaderPairs, RequestHead } from "./heads.ts";

/** Returns the length in bytes that headers declare for a body; undefined if they declare none that is a plain number. */
export function declaredLength(headers: HeaderPairs): number | undefined {
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  return length === undefined ? undefined : toLength(length);
}

/**
 * Returns the value of a Content-Length header; undefined if it is not a plain number. JavaScript counts 15 digits
 * exactly.
 */
export function toLength(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** Declares the length of a body that is sent in pieces: a backend may refuse a request without one. */
export function withDeclaredLength(head: RequestHead, bytes: number): RequestHead {
  const others = head.headers.filter(([name]) => name.toLowerCase() !== "content-length");
  return { ...head, headers: [...others, ["content-length", String(bytes)]] };
}
