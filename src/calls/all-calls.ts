import * as v from "valibot";
import { joinTrails, type TrailPage, type TrailPlace } from "../plugin/joined-trails.ts";
import { NO_PEERS, type PeerReadings } from "../plugin/peer-readings.ts";
import type { CallReader } from "./call-reader.ts";
import type { CallFilter } from "./call-records.ts";
import { OUTCOMES, type PastCall, parsePastCall } from "./past-call.ts";

/** Which calls to read. */
export interface AllCallsQuery extends CallFilter {
  /** Where the previous page has ended; undefined for the newest calls. */
  readonly after: TrailPlace | undefined;
  readonly limit: number;
}

/** One page of the calls of all servers, the newest first. */
export interface CallPage extends TrailPage<PastCall> {
  /** The servers whose calls are missing, because they did not answer or could not be understood. */
  readonly missing: readonly string[];
}

const CALLS = "mcp-calls";
/** The most calls of one page. */
export const MAX_PAGE = 1000;
/** The most words that are looked for, and the most characters of all of them. */
export const MAX_WORDS = 8;
export const MAX_SEARCH_CHARS = 200;

const text = v.optional(v.string());
const time = v.optional(v.number());
const questionSchema = v.object({
  relay: text,
  caller: text,
  tenant: text,
  name: text,
  method: text,
  outcome: v.optional(v.picklist(OUTCOMES)),
  since: time,
  until: time,
  words: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_SEARCH_CHARS))), v.maxLength(MAX_WORDS))),
  after: v.optional(v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(1)))),
  limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PAGE + 1)),
} satisfies Record<keyof AllCallsQuery, v.GenericSchema>);

/** Reads the calls of all servers of a cluster. Each server keeps those of its own clients. */
export class AllCalls {
  readonly #reader: Pick<CallReader, "read">;
  readonly #readings: PeerReadings | undefined;

  /** `readings` are the other servers; undefined for a server that is the only one. */
  constructor(reader: Pick<CallReader, "read">, readings?: PeerReadings) {
    this.#reader = reader;
    this.#readings = readings;
    readings?.answer(CALLS, async (question) => {
      const read = v.safeParse(questionSchema, question);
      if (!read.success) throw new Error("another server has sent a query that cannot be read");
      return (await this.#own({ ...read.output, after: read.output.after })).map((call) => JSON.stringify(call));
    });
  }

  /** Returns the id of this server in places; the empty text for a server that is the only one. */
  get serverId(): string {
    return this.#readings?.serverId ?? "";
  }

  /** Rejects with `too_many_requests` if too many queries wait. */
  async read(query: AllCallsQuery): Promise<CallPage> {
    // One more than the page has shows whether there is another page.
    const question = { ...query, limit: query.limit + 1 };
    const [own, { answers, missing }] = await Promise.all([
      this.#own(question),
      this.#readings?.ask(CALLS, question) ?? NO_PEERS,
    ]);
    const trails = new Map<string, readonly PastCall[]>([[this.serverId, own]]);
    const unreadable: string[] = [];
    for (const [server, lines] of answers) {
      const read = lines.slice(0, question.limit).map(parsePastCall);
      trails.set(
        server,
        read.filter((call) => call !== undefined),
      );
      if (read.includes(undefined)) unreadable.push(server);
    }
    const page = joinTrails(trails, query.limit, ({ endedAt }) => endedAt, query.after);
    return { ...page, missing: [...missing, ...unreadable] };
  }

  #own({ after, limit, ...filter }: AllCallsQuery): Promise<readonly PastCall[]> {
    return this.#reader.read(filter, after?.[this.serverId], limit);
  }
}
