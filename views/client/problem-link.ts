import type { Problem } from "../../src/state/problems.ts";
import { type Query, toHash } from "./place.ts";

/** A link from a problem to what it names. */
export interface ProblemLink {
  readonly href: string;
  readonly label: string;
}

/** What a problem is about, where the server says so. */
interface About {
  readonly worker?: string;
  readonly model?: string;
  readonly plugin?: string;
  readonly server?: string;
}

/** Returns the link to the worker, the model or the workers that a problem names; null where it names none. */
export function linkOf(problem: Problem & { readonly about?: About }): ProblemLink | null {
  const { about = {}, plugin } = problem;
  const query: Query = plugin === null ? {} : { plugin };
  if (about.worker !== undefined)
    return { href: toHash({ section: "workers", id: about.worker, query }), label: "Show the worker" };
  if (about.model !== undefined)
    return { href: toHash({ section: "models", id: about.model, query: {} }), label: "Show the model" };
  if (problem.code === "no_workers")
    return { href: toHash({ section: "add", id: "", query: {} }), label: "Add a worker" };
  if (plugin !== null) return { href: toHash({ section: "workers", id: "", query }), label: "Show the workers" };
  return null;
}
