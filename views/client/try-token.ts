import { assertOk } from "./answers.ts";
import { KEY_VARIABLE } from "./use-facts.ts";

/** A token is not used in its last seconds, in which it could expire on the way. */
const MARGIN_MS = 30_000;

let token: string | null = null;
let endsAt = 0;

/** Returns headers for a request to the public API. They have a short-lived token, so that the page keeps no key. */
export async function apiHeaders(): Promise<Record<string, string>> {
  if (Date.now() > endsAt - MARGIN_MS) {
    const response = await assertOk(await fetch("/api/state/token", { method: "POST" }));
    const given = (await response.json()) as { token: string | null; expires_in: number }; // the server's own
    token = given.token;
    endsAt = Date.now() + given.expires_in * 1000;
  }
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** The environment variable with the key for curl commands; undefined if the server asks for none. */
export function keyVariable(): string | undefined {
  return document.body.dataset["keys"] === "none" ? undefined : KEY_VARIABLE;
}
