// Places in the dashboard and their hashes. Pure; what follows the address is in route.ts.

/** What the page shows: a section, one thing of it, and how it is shown. All of it is in the hash of the page's address. */
export interface Place {
  readonly section: string;
  /** The id of a worker, model, job or relay; empty for the section itself. */
  readonly id: string;
  /** The filter, order, part and page of the section. No value is empty. */
  readonly query: Query;
}

export type Query = Readonly<Record<string, string>>;

/** Reads a hash such as `#workers/gpu-1?part=errors`. Broken escapes are taken as they are. */
export function readHash(hash: string): Place {
  const [path = "", search = ""] = splitOnce(hash.replace(/^#/, ""), "?");
  const [section = "", id = ""] = splitOnce(path, "/");
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) if (value !== "") query[name] = value;
  return { section: decoded(section), id: decoded(id), query };
}

/** Returns the hash of a place, which `readHash` reads. Empty values of the query are left out. */
export function toHash({ section, id, query }: Place): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  const path = id === "" ? section : `${section}/${encodeURIComponent(id)}`;
  return `#${path}${search === "" ? "" : `?${search}`}`;
}

/**
 * Returns the place to show for a hash. `old` leads from sections of earlier versions to the hashes of their successors. A
 * section that the page does not have leads to the first one.
 */
export function placeFor(hash: string, sections: readonly string[], old: ReadonlyMap<string, string>): Place {
  const place = readHash(hash);
  const { plugin = "" } = place.query;
  // A plugin whose workers have pages of their own has them in its own section.
  if (place.section === "workers" && place.id !== "" && sections.includes(plugin))
    return { section: plugin, id: place.id, query: {} };
  if (sections.includes(place.section)) return place;
  const successor = readHash(old.get(place.section) ?? "");
  return sections.includes(successor.section) ? successor : { section: sections[0] ?? "", id: "", query: {} };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a URIError
  }
}

/** Returns the text before the first `mark` and the text after it. */
export function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}
