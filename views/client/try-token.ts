import { assertOk } from "./answers.ts";

/** A token is not used in its last seconds: it would end on the way. */
const MARGIN_MS = 30_000;

let token: string | null = null;
let endsAt = 0;

/** Headers for a request to the public API: a short-lived token of this sign-in, so that no key is kept in the page. */
export async function apiHeaders(): Promise<Record<string, string>> {
  if (Date.now() > endsAt - MARGIN_MS) {
    const response = await assertOk(await fetch("/api/state/token", { method: "POST" }));
    const given = (await response.json()) as { token: string | null; expires_in: number }; // the server's own
    token = given.token;
    endsAt = Date.now() + given.expires_in * 1000;
  }
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** The variable that a curl line takes the key from; undefined where the server asks for none. */
export function keyVariable(): string | undefined {
  return document.body.dataset["keys"] === "none" ? undefined : "API_KEY";
}
