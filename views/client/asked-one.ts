import type { AlpineApi } from "./alpine.js";
import { assertOk, messageOf, Refusal } from "./answers.ts";
import type { RouteStore } from "./route.ts";

export interface AskedOneOptions {
  readonly alpine: AlpineApi;
  readonly section: string;
  /** MUST return the reactive store. */
  readonly route: () => RouteStore;
  /** Returns the path that answers for the thing with this id. */
  readonly path: (id: string) => string;
}

/** The page of one thing, whose id is in the page's address: what the server answered, and when to ask again. */
export function createAskedOne<T extends object>({ alpine, section, route, path }: AskedOneOptions) {
  const nothing: readonly T[] = Object.freeze([]);
  const data = alpine.reactive({ found: nothing, of: "", problem: "", isMissing: false });
  let asked = 0;
  const idNow = (): string => (route().section === section ? route().id : "");
  const found = (): readonly T[] => (data.of === idNow() ? data.found : nothing);
  const load = async (): Promise<void> => {
    const id = idNow();
    if (id === "") return;
    asked += 1;
    const question = asked;
    if (data.of !== id) Object.assign(data, { found: nothing, of: id, problem: "", isMissing: false });
    try {
      const response = await assertOk(await fetch(path(id)));
      const thing = (await response.json()) as T; // the server's own
      if (question === asked)
        Object.assign(data, { found: Object.freeze([Object.freeze(thing)]), problem: "", isMissing: false });
    } catch (error) {
      if (question !== asked) return;
      const isUnknown = error instanceof Refusal && error.status === 404;
      // What was shown stays as it was when the server last knew it.
      data.isMissing = isUnknown && data.found.length === 0;
      data.problem = isUnknown ? "" : messageOf(error);
    }
  };
  return {
    isOpen: (): boolean => idNow() !== "",
    /** The thing as a list of one, so that markup with `x-for` reads it only while it is there. */
    found,
    /** Why the server did not answer. */
    problem: (): string => data.problem,
    /** Whether the server does not know the thing, or not any more. */
    isMissing: (): boolean => data.isMissing && data.of === idNow(),
    isWaiting: (): boolean => idNow() !== "" && found().length === 0 && data.problem === "" && !data.isMissing,
    /** Asks for the thing that the address names now. */
    load,
    /** Asks for another thing as soon as the address names it. The argument is there to be noticed. */
    changedTo: (_id: string): void => queueMicrotask(() => void load()),
  };
}
