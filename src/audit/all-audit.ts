import * as v from "valibot";
import { joinTrails, type TrailPage, type TrailPlace } from "../plugin/joined-trails.ts";
import { NO_PEERS, type PeerReadings } from "../plugin/peer-readings.ts";
import type { AuditEntry, AuditQuery, AuditTrail } from "./audit.ts";

/** Which entries of the trails to read. */
export interface AllAuditQuery extends Omit<AuditQuery, "before"> {
  /** Undefined for the newest entries. */
  readonly after: TrailPlace | undefined;
}

/** One page of the trails of all servers, the newest entries first. */
export interface AuditPage extends TrailPage<AuditEntry> {
  /** The servers whose entries are missing, because they did not answer or could not be understood. */
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
    const trails = new Map<string, readonly AuditEntry[]>([[this.serverId, own]]);
    const unreadable: string[] = [];
    for (const [server, lines] of answers) {
      const read = lines.slice(0, question.limit).map(toEntry);
      trails.set(
        server,
        read.filter((entry) => entry !== undefined),
      );
      if (read.includes(undefined)) unreadable.push(server);
    }
    const page = joinTrails(trails, query.limit, ({ at }) => at, query.after);
    return { ...page, missing: [...missing, ...unreadable] };
  }

  #own({ after, ...query }: AllAuditQuery): readonly AuditEntry[] {
    return this.#trail.read({ ...query, before: after?.[this.serverId] });
  }
}

function toEntry(line: unknown): AuditEntry | undefined {
  const read = v.safeParse(entrySchema, line);
  return read.success ? read.output : undefined;
}
