import type { Auth } from "../auth/auth.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { ModelCard, ModelCatalog } from "../plugin/contract.ts";
import { mayUse } from "../pool/may-use.ts";

const KEY_HEADERS = ["authorization", "x-api-key", "api-key", "x-user-roles"];

/**
 * Returns the models that a reader of a public page may know: those that its key, its role or an open server lets it use,
 * or all of them with a sign-in to the dashboard. None for anybody else. Never throws; a wrong key counts as anywhere.
 */
export function servedFor(auth: Auth, catalog: ModelCatalog, visit: Visit): readonly ModelCard[] {
  const { headers } = visit.request;
  if (auth.operators.isSignedIn(visit)) return catalog.models();
  if (!auth.isOpen("api") && !KEY_HEADERS.some((name) => headers.has(name))) return [];
  try {
    const caller = auth.ask(visit, "api");
    return catalog.models().filter(({ id }) => mayUse(caller, id));
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}
