import { parseJson } from "../json/parse.ts";
import { parsePastJob } from "../usage/past-job.ts";
import type { FailedJobRecords } from "../usage/past-jobs.ts";
import type { Store } from "./store.ts";

/** Creates the records of failed requests, of which `PastJobs` bounds the number. */
export function createFailedJobRows({ db, writes }: Store): FailedJobRecords {
  const newest = db.prepare<{ readonly job: string }, [number]>("SELECT job FROM failed_job ORDER BY id DESC LIMIT ?");
  const save = db.prepare<void, [string]>("INSERT INTO failed_job (job) VALUES (?)");
  const trim = db.prepare<void, [number]>(
    "DELETE FROM failed_job WHERE id <= (SELECT id FROM failed_job ORDER BY id DESC LIMIT 1 OFFSET ?)",
  );
  const addAll = db.transaction((jobs: readonly string[], limit: number) => {
    for (const job of jobs) save.run(job);
    trim.run(limit);
  });
  return {
    load: (limit) =>
      newest
        .all(limit)
        .reverse()
        .flatMap(({ job }) => parsePastJob(parseJson(job)) ?? []),
    add: (jobs, limit) =>
      writes.attempt("failed jobs", () =>
        addAll(
          jobs.map((job) => JSON.stringify(job)),
          limit,
        ),
      ),
  };
}
