import * as v from "valibot";
import { NO_PEERS, type PeerReadings } from "../plugin/peer-readings.ts";
import type { AuditEntry, AuditQuery, AuditTrail } from "./audit.ts";

/** The place in the trails of all servers at which a page ends: the id of the last entry of each server so far. */
export type AuditPlace = Readonly<Record<string, number>>;

/** Which entries of the trails to read. */
export interface AllAuditQuery extends Omit<AuditQuery, "before"> {
  /** Undefined for the newest entries. */
  readonly after: AuditPlace | undefined;
}

/** An entry, and the server that was asked to act; the empty text for a server that is the only one. */
export interface EntryOfServer {
  readonly server: string;
  readonly entry: AuditEntry;
}

/** One page of the trails of all servers, the newest entries first. */
export interface AuditPage {
  readonly entries: readonly EntryOfServer[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: AuditPlace | undefined;
  /** The ids of the servers of which entries are missing, because they have not answered or cannot be understood. */
  readonly missing: readonly string[];
}

const AUDIT = "audit";
/** The most entries that one server is asked for. */
export const MAX_PAGE = 1000;

const text = v.optional(v.string());
const questionSchema = v.object({
  after: v.optional(v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(1)))),
  who: text,
  what: text,
  about: text,
  limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PAGE + 1)),
});

const entrySchema = v.object({
  id: v.pipe(v.number(), v.integer()),
  at: v.number(),
  who: v.string(),
  address: text,
  what: v.string(),
  about: text,
  detail: v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean(), v.null()]))),
});

/** Reads the trails of all servers of a cluster. Each server keeps its own. */
export class AllAudit {
  readonly #trail: Pick<AuditTrail, "read">;
  readonly #readings: PeerReadings | undefined;

  /** `readings` are the other servers; undefined for a server that is the only one. */
  constructor(trail: Pick<AuditTrail, "read">, readings?: PeerReadings) {
    this.#trail = trail;
    this.#readings = readings;
    readings?.answer(AUDIT, (question) => {
      const read = v.safeParse(questionSchema, question);
      if (!read.success) throw new Error("another server has sent a query that cannot be read");
      return this.#own({ ...read.output, after: read.output.after }).map((entry) => JSON.stringify(entry));
    });
  }

  /** Returns the id of this server in places; the empty text for a server that is the only one. */
  get serverId(): string {
    return this.#readings?.serverId ?? "";
  }

  async read(query: AllAuditQuery): Promise<AuditPage> {
    // One more than the page has shows whether there is another page.
    const question = { ...query, limit: query.limit + 1 };
    const own = this.#own(question);
    const { answers, missing } = (await this.#readings?.ask(AUDIT, question)) ?? NO_PEERS;
    const trails = new Map<string, AuditEntry[]>([[this.serverId, [...own]]]);
    const unreadable: string[] = [];
    for (const [server, lines] of answers) {
      const read = lines.slice(0, question.limit).map(toEntry);
      trails.set(
        server,
        read.filter((entry) => entry !== undefined),
      );
      if (read.includes(undefined)) unreadable.push(server);
    }
    const entries = newest(trails, query.limit);
    const isLast = [...trails.values()].every((rest) => rest.length === 0);
    return {
      entries,
      next: isLast ? undefined : placeAfter(entries, query.after),
      missing: [...missing, ...unreadable],
    };
  }

  #own({ after, ...query }: AllAuditQuery): readonly AuditEntry[] {
    return this.#trail.read({ ...query, before: after?.[this.serverId] });
  }
}

/** Takes entries from the trails, the newest first. The order within each trail stays as it is. */
function newest(trails: ReadonlyMap<string, AuditEntry[]>, limit: number): EntryOfServer[] {
  const taken: EntryOfServer[] = [];
  while (taken.length < limit) {
    let best: EntryOfServer | undefined;
    for (const [server, [entry]] of trails) if (entry && !(best && best.entry.at >= entry.at)) best = { server, entry };
    if (!best) break;
    trails.get(best.server)?.shift();
    taken.push(best);
  }
  return taken;
}

function placeAfter(entries: readonly EntryOfServer[], before: AuditPlace | undefined): AuditPlace {
  const place: Record<string, number> = { ...before };
  for (const { server, entry } of entries) place[server] = entry.id;
  return place;
}

function toEntry(line: unknown): AuditEntry | undefined {
  const read = v.safeParse(entrySchema, line);
  return read.success ? read.output : undefined;
}

/** Writes a place as `after` takes it: `a:12,b:7`, or the id alone for a server that is the only one. */
export function placeText(place: AuditPlace): string {
  return Object.entries(place)
    .map(([server, id]) => (server === "" ? String(id) : `${server}:${id}`))
    .join();
}

const PLACE = /^(?:[A-Za-z0-9-]{1,32}:\d{1,15})(?:,[A-Za-z0-9-]{1,32}:\d{1,15}){0,255}$/;

/** Reads a place; undefined for a text that is none. `own` is the id of this server, to which an id alone belongs. */
export function toPlace(written: string, own: string): AuditPlace | undefined {
  if (/^\d{1,15}$/.test(written)) return Number(written) >= 1 ? { [own]: Number(written) } : undefined;
  if (!PLACE.test(written)) return undefined;
  return Object.fromEntries(
    written.split(",").map((each) => {
      const colon = each.indexOf(":");
      return [each.slice(0, colon), Number(each.slice(colon + 1))] as const;
    }),
  );
}
