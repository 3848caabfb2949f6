// Joins trails of several servers, each of which has its entries by ids that grow, and reads them page by page.

/** The place in the trails of all servers at which a page ends: the id of the last entry of each server so far. */
export type TrailPlace = Readonly<Record<string, number>>;

/** An entry, and the server that keeps it; the empty text for a server that is the only one. */
export interface OfServer<E> {
  readonly server: string;
  readonly entry: E;
}

/** One page of the trails of all servers, the newest entries first. */
export interface TrailPage<E> {
  readonly entries: readonly OfServer<E>[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: TrailPlace | undefined;
}

interface Entry {
  readonly id: number;
}

/**
 * Takes a page from trails whose entries are the newest first; the order within each trail stays as it is. Each trail MUST have one
 * entry more than the page if it has more, which shows whether there is another page.
 */
export function joinTrails<E extends Entry>(
  trails: ReadonlyMap<string, readonly E[]>,
  limit: number,
  atOf: (entry: E) => number,
  after: TrailPlace | undefined,
): TrailPage<E> {
  const taken: OfServer<E>[] = [];
  const places = new Map<string, number>();
  while (taken.length < limit) {
    let best: OfServer<E> | undefined;
    for (const [server, entries] of trails) {
      const entry = entries[places.get(server) ?? 0];
      if (entry && !(best && atOf(best.entry) >= atOf(entry))) best = { server, entry };
    }
    if (!best) break;
    places.set(best.server, (places.get(best.server) ?? 0) + 1);
    taken.push(best);
  }
  const isLast = [...trails].every(([server, entries]) => entries.length === (places.get(server) ?? 0));
  return { entries: taken, next: isLast ? undefined : placeAfter(taken, after) };
}

function placeAfter(entries: readonly OfServer<Entry>[], before: TrailPlace | undefined): TrailPlace {
  const place: Record<string, number> = { ...before };
  for (const { server, entry } of entries) place[server] = entry.id;
  return place;
}

/** Writes a place as `after` takes it: `a:12,b:7`, or the id alone for a server that is the only one. */
export function placeText(place: TrailPlace): string {
  return Object.entries(place)
    .map(([server, id]) => (server === "" ? String(id) : `${server}:${id}`))
    .join();
}

const PLACE = /^(?:[A-Za-z0-9-]{1,32}:\d{1,15})(?:,[A-Za-z0-9-]{1,32}:\d{1,15}){0,255}$/;

/** Reads a place; undefined for a text that is none. `own` is the id of this server, to which an id alone belongs. */
export function toPlace(written: string, own: string): TrailPlace | undefined {
  if (/^\d{1,15}$/.test(written)) return Number(written) >= 1 ? { [own]: Number(written) } : undefined;
  if (!PLACE.test(written)) return undefined;
  return Object.fromEntries(
    written.split(",").map((each) => {
      const colon = each.indexOf(":");
      return [each.slice(0, colon), Number(each.slice(colon + 1))] as const;
    }),
  );
}
