import type { AlpineApi } from "./alpine.js";
import { type Place, placeFor, type Query, readHash, splitOnce, toHash } from "./place.ts";

/** `$store.route`: the place that the page shows. */
export interface RouteStore extends Place {
  is(section: string): boolean;
  /** Returns the hash of a place, for links: `href('workers', row.id)`. */
  href(section: string, id?: string, query?: Query): string;
  /** Returns the hash of this place. */
  hash(): string;
  /** Goes to a place, from which the browser's button leads back. */
  go(section: string, id?: string, query?: Query): void;
  /** Changes the query of this place, for which there is no way back. An empty value removes a name. */
  set(changes: Query): void;
}

/** How long changes of the query are collected. Browsers allow about three writes of the address per second. */
const WRITE_AFTER_MS = 300;

/** Where the hash waits while the viewer signs in: theme.ts puts it there on the sign-in page. */
const KEPT = "place";

/** Adds `$store.route`, which follows the address. MUST be called before Alpine starts. */
export function registerRoute(alpine: AlpineApi): void {
  const shell = document.querySelector<HTMLElement>(".shell");
  const sections = (shell?.dataset["sections"] ?? "").split(" ");
  const old = new Map(
    (shell?.dataset["old"] ?? "").split(" ").flatMap((pair) => {
      const [from = "", to = ""] = splitOnce(pair, "=");
      return from === "" ? [] : [[from, to] as const];
    }),
  );
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  if (location.hash === "" && kept !== null) history.replaceState(null, "", kept);
  let writing: number | undefined;
  const write = (): void => {
    window.clearTimeout(writing);
    writing = undefined;
    history.replaceState(null, "", toHash(store()));
  };
  const store = (): RouteStore => alpine.store("route");
  alpine.store("route", {
    ...placeFor(location.hash, sections, old),
    is(section: string): boolean {
      return store().section === section;
    },
    href(section: string, id = "", query: Query = {}): string {
      return toHash({ section, id, query });
    },
    hash(): string {
      return toHash(store());
    },
    go(section: string, id = "", query: Query = {}): void {
      if (writing !== undefined) write();
      location.hash = toHash({ section, id, query });
    },
    set(changes: Query): void {
      const query = Object.entries({ ...store().query, ...changes }).filter(([, value]) => value !== "");
      Object.assign(store(), { query: Object.fromEntries(query) });
      window.clearTimeout(writing);
      writing = window.setTimeout(write, WRITE_AFTER_MS);
    },
  });
  // The store has the place at once; the address follows where an old link was opened.
  if (location.hash !== "" && readHash(location.hash).section !== store().section) write();
  const follow = (): void => {
    window.clearTimeout(writing);
    writing = undefined;
    const before = store();
    const [wasSection, wasId] = [before.section, before.id];
    Object.assign(before, placeFor(location.hash, sections, old));
    showTitle(before);
    if (before.section !== wasSection || before.id !== wasId) window.scrollTo({ top: 0 });
  };
  showTitle(store());
  window.addEventListener("hashchange", follow);
}

/** Names the page in the browser's tabs and history. */
function showTitle({ section, id }: Place): void {
  const label = document.querySelector<HTMLElement>(`[data-section="${section}"]`)?.dataset["label"] ?? "";
  document.title = [id, label, "Moorage"].filter((part) => part !== "").join(" · ");
}
