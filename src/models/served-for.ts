import type { Auth } from "../auth/auth.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { ModelCard, ModelCatalog } from "../plugin/contract.ts";
import { mayUse } from "../pool/may-use.ts";

const KEY_HEADERS = ["authorization", "x-api-key", "api-key", "x-user-roles"];

/**
 * Returns the models that a reader of a public page may see. A sign-in to the dashboard shows all of them; a key, a role or
 * an open server shows the ones that the reader may use; any other reader sees none. A wrong key counts as a guess, and no
 * reader gets an error.
 */
export function servedFor(auth: Auth, catalog: ModelCatalog, visit: Visit): readonly ModelCard[] {
  const { headers } = visit.request;
  if (auth.operators.isSignedIn(visit)) return catalog.models();
  if (!auth.isOpen("api") && !KEY_HEADERS.some((name) => headers.has(name))) return [];
  try {
    const caller = auth.ask(visit, "api");
    return catalog.models(caller.tenant).filter(({ id }) => mayUse(caller, id));
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}
