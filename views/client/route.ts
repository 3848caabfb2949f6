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

/** The places whose scroll positions are kept; more of them than anyone goes back. */
const MAX_POSITIONS = 100;

/** How long a page may take to become long enough for its scroll position. */
const RESTORE_MS = 1000;

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
    history.replaceState(history.state, "", toHash(store()));
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
  const positions = new Map<string, number>();
  let last = 0;
  /** Returns whether the browser's buttons led here, and numbers the places that they lead to. */
  const isReturn = (): boolean => {
    const isKnown = typeof (history.state as { place?: unknown } | null)?.place === "number";
    if (!isKnown) {
      last += 1;
      history.replaceState({ place: last }, "");
    }
    return isKnown;
  };
  const follow = (): void => {
    window.clearTimeout(writing);
    writing = undefined;
    const before = store();
    const [wasSection, wasId] = [before.section, before.id];
    positions.delete(toHash(before));
    positions.set(toHash(before), window.scrollY);
    const [oldest] = positions.keys();
    if (positions.size > MAX_POSITIONS && oldest !== undefined) positions.delete(oldest);
    Object.assign(before, placeFor(location.hash, sections, old));
    if (readHash(location.hash).section !== before.section) write();
    showPlace(before);
    const isBack = isReturn() || (before.section === wasSection && wasId !== "" && before.id === "");
    if (before.section !== wasSection || before.id !== wasId)
      scrollTo(isBack ? (positions.get(toHash(before)) ?? 0) : 0);
  };
  history.scrollRestoration = "manual";
  isReturn();
  showPlace(store());
  window.addEventListener("hashchange", follow);
}

/** Scrolls once the page is long enough, unless the viewer scrolls first. */
function scrollTo(top: number): void {
  const until = performance.now() + RESTORE_MS;
  let isOver = false;
  const stop = (): void => {
    isOver = true;
  };
  const events = ["wheel", "touchstart", "keydown", "hashchange"] as const;
  for (const event of events) window.addEventListener(event, stop, { once: true, passive: true });
  const step = (): void => {
    if (!isOver) window.scrollTo({ top });
    if (!isOver && window.scrollY < top - 1 && performance.now() < until) requestAnimationFrame(step);
    else for (const event of events) window.removeEventListener(event, stop);
  };
  requestAnimationFrame(step);
}

/** Names the page in the browser's tabs and history, and brings its link into sight where the navigation is wider than the screen. */
function showPlace(place: Place): void {
  showTitle(place);
  const link = document.querySelector<HTMLElement>(`header nav a[href="#${place.section}"]`);
  const nav = link?.parentElement;
  if (link && nav) nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
}

/** Names the page in the browser's tabs and history. */
function showTitle({ section, id }: Place): void {
  const label = document.querySelector<HTMLElement>(`[data-section="${section}"]`)?.dataset["label"] ?? "";
  document.title = [id, label, "Moorage"].filter((part) => part !== "").join(" · ");
}
