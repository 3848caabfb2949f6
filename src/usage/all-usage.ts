import { Fault } from "../errors.ts";
import { isRecord } from "../json/parse.ts";
import { NO_PEERS, type PeerReadings } from "../plugin/peer-readings.ts";
import type { Clock } from "../system/deps.ts";
import type { EndedUsage } from "./ended-usage.ts";
import { type PastJob, parsePastJob } from "./past-job.ts";
import { MAX_RECENT } from "./past-jobs.ts";
import { rowText, toQuery, toRow } from "./peer-rows.ts";
import type { UsageGroups } from "./usage-groups.ts";
import type { UsageQuery } from "./usage-query.ts";
import { MAX_GROUPS, tooManyRows } from "./usage-reader.ts";

export interface AllUsageOptions {
  readonly clock: Pick<Clock, "after">;
  readonly usage: Pick<EndedUsage, "reader" | "jobs">;
  /** The other servers of the cluster; undefined for a server that is the only one. */
  readonly readings?: PeerReadings | undefined;
}

/** Usage of all servers. */
export interface UsageOfAll {
  readonly groups: UsageGroups;
  /** The ids of the servers whose usage is missing, because they have not answered. */
  readonly missing: readonly string[];
}

/** A request that has ended, and the server that its client called; undefined for a server that is the only one. */
export interface JobOfServer {
  readonly server: string | undefined;
  readonly job: PastJob;
}

/** Ended requests of all servers, the newest first. */
export interface JobsOfAll {
  readonly jobs: readonly JobOfServer[];
  readonly hasMore: boolean;
  /** The ids of the servers of which some requests or all are missing, because they have not answered or cannot be understood. */
  readonly missing: readonly string[];
}

const USAGE = "usage";
const JOBS = "jobs";
/** The line of a server whose answer would be too long. */
const TOO_MANY = "too_many_rows";
/** The rows that are read in one turn of the event loop, which takes about 1 ms. */
const ROWS_PER_TURN = 500;

/** Answers queries about the usage and the ended requests of all servers of a cluster, each of which keeps its own. */
export class AllUsage {
  readonly #options: AllUsageOptions;

  constructor(options: AllUsageOptions) {
    const { usage, readings } = options;
    this.#options = options;
    readings?.answer(USAGE, (question) => this.#answerUsage(question));
    readings?.answer(JOBS, (question) => {
      const asked = isRecord(question) ? question : {};
      const limit = typeof asked["limit"] === "number" ? Math.max(0, asked["limit"]) : MAX_RECENT;
      const jobs = asked["is_failed"] === true ? usage.jobs.failed() : usage.jobs.recent();
      return jobs.slice(0, limit).map((job) => JSON.stringify(job));
    });
  }

  /** Returns the groups that a query asks for. Rejects like `UsageReader.read`. */
  async read(query: UsageQuery): Promise<UsageOfAll> {
    const { usage, readings } = this.#options;
    const [groups, { answers, missing }] = await Promise.all([
      usage.reader.read(query),
      readings?.ask(USAGE, query) ?? NO_PEERS,
    ]);
    const unreadable: string[] = [];
    for (const [server, lines] of answers) if (!(await this.#merge(groups, lines))) unreadable.push(server);
    if (groups.size > MAX_GROUPS) throw tooManyRows();
    return { groups, missing: [...missing, ...unreadable] };
  }

  /** Returns the requests that ended last, or those that failed last. */
  async jobs(isFailed: boolean, limit: number): Promise<JobsOfAll> {
    const { usage, readings } = this.#options;
    const own = isFailed ? usage.jobs.failed() : usage.jobs.recent();
    // One more than is returned shows whether there are more.
    const question = { is_failed: isFailed, limit: limit + 1 };
    const { answers, missing } = (await readings?.ask(JOBS, question)) ?? NO_PEERS;
    const all: JobOfServer[] = own.map((job) => ({ server: readings?.serverId, job }));
    const unreadable: string[] = [];
    for (const [server, lines] of answers) {
      const jobs = lines.slice(0, limit + 1).map(parsePastJob);
      for (const job of jobs) if (job) all.push({ server, job });
      if (jobs.includes(undefined)) unreadable.push(server);
    }
    if (answers.size > 0) all.sort((a, b) => b.job.endedAt - a.job.endedAt);
    return { jobs: all.slice(0, limit), hasMore: all.length > limit, missing: [...missing, ...unreadable] };
  }

  async #answerUsage(question: unknown): Promise<Iterable<string>> {
    const query = toQuery(question);
    if (!query) throw new Error("another server has sent a query that cannot be read");
    try {
      return linesOf(await this.#options.usage.reader.read(query));
    } catch (error) {
      if (error instanceof Fault && error.code === "invalid_request") return [JSON.stringify(TOO_MANY)];
      throw error;
    }
  }

  /** Adds the groups of another server. Returns false, and has added nothing, if one of them cannot be read. */
  async #merge(groups: UsageGroups, lines: readonly unknown[]): Promise<boolean> {
    if (lines[0] === TOO_MANY) throw tooManyRows();
    const rows = [];
    for (const [at, line] of lines.entries()) {
      if (at % ROWS_PER_TURN === ROWS_PER_TURN - 1) await this.#turn();
      const row = toRow(line);
      if (!row) return false;
      rows.push(row);
    }
    for (const [at, row] of rows.entries()) {
      if (at % ROWS_PER_TURN === ROWS_PER_TURN - 1) await this.#turn();
      groups.merge(row);
    }
    return true;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(0, resolve));
  }
}

function* linesOf(groups: UsageGroups): Generator<string> {
  for (const group of groups.sorted()) yield rowText(group);
}
