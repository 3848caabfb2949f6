import type { RequestHead } from "./frame.ts";

/**
 * Returns the length in bytes that a request declares for its body; undefined if it declares none that is a plain number.
 */
export function declaredLength({ headers }: RequestHead): number | undefined {
  const length = headers.find(([name]) => name === "content-length")?.[1];
  // JavaScript counts 15 digits exactly.
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
