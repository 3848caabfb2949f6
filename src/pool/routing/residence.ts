import type { Offer } from "../../tunnel/session.ts";

/**
 * How long a model counts as loaded after a job of it was served, although the worker has not said so. A worker that tells
 * what is loaded looks every few seconds. One that does not may have said it at its registration only; model servers keep a
 * model for five minutes.
 */
export function stayMs({ loaded }: Offer): number {
  return loaded === undefined ? 5 * 60_000 : 30_000;
}
