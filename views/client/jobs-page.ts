import type { JobDetail } from "../../src/plugin/details.ts";
import type { AlpineApi } from "./alpine.js";
import { assertOk, messageOf } from "./answers.ts";
import { createAskedOne } from "./asked-one.ts";
import { copy } from "./copy.ts";
import { type JobRow, toEndedJob, toLiveJobs } from "./job-rows.ts";
import { toJobView } from "./job-view.ts";
import type { Row } from "./listing.ts";
import { once } from "./once.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import { createRoutedList } from "./routed-list.ts";
import { createRowMenu } from "./row-menu.ts";
import { NO_ROWS } from "./tables.ts";

/** The most ended jobs to ask for. */
const MAX_ENDED = 300;

interface EndedAnswer {
  readonly data: readonly Row[];
  readonly missing_servers?: readonly string[];
}

/** Registers the components of the section on jobs. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store<RouteStore>("route");
  const ended = alpine.reactive({ entries: NO_ROWS, problem: "", missing: "" });
  const names = once(
    () => pool().plugins,
    (plugins): ReadonlyMap<string, string> =>
      new Map(
        Object.values(plugins).flatMap(({ workers }) =>
          Array.isArray(workers) ? workers.map(({ id, name }) => [id, name] as const) : [],
        ),
      ),
  );
  const live = once(
    () => pool().plugins,
    (plugins) => toLiveJobs(plugins, names()),
  );
  const past = once(
    () => ended.entries,
    (entries) => entries.map((entry) => toEndedJob(entry, names())),
  );
  const rows = once(
    () => [live(), past()] as const,
    ([now, before]): readonly JobRow[] => Object.freeze([...now, ...before]),
  );
  const list = createRoutedList({
    section: "jobs",
    address: route,
    all: rows,
    facets: { show: "shows", model: "model", worker: "worker", caller: "caller" },
    sort: "-order",
    label: (name, value) =>
      name === "worker" ? (rows().find((row) => row.worker === value)?.worker_name ?? value) : value,
  });
  let asked = 0;
  const load = async (): Promise<void> => {
    asked += 1;
    const question = asked;
    const failed = route().query["show"] === "failed" ? "&outcome=failed" : "";
    try {
      const response = await assertOk(await fetch(`/api/state/jobs?limit=${MAX_ENDED}${failed}`));
      const { data, missing_servers: missing = [] } = (await response.json()) as EndedAnswer; // the server's own
      if (question !== asked) return;
      Object.assign(ended, {
        entries: Object.freeze(data.map((entry) => Object.freeze(entry))),
        problem: "",
        missing: missing.length === 0 ? "" : `Server ${missing.join(", ")} has not answered.`,
      });
    } catch (error) {
      if (question === asked) ended.problem = messageOf(error);
    }
  };
  const { choose } = list;

  alpine.data("rowMenu", createRowMenu);
  alpine.data("jobs", () => ({
    titleOf: ({ kind, plugin }: JobRow): string => kind || plugin,
    copyId: (id: string) => void copy(id),
  }));
  alpine.data("jobList", () =>
    Object.assign(list, {
      load,
      problem: () => ended.problem,
      missing: () => ended.missing,
      choose(name: string, value: string): void {
        choose(name, value);
        // More failed jobs are remembered than are among the last ones.
        if (name === "show") void load();
      },
    }),
  );
  alpine.data("jobPage", () => {
    const page = createAskedOne<JobDetail>({
      alpine,
      section: "jobs",
      route,
      path: (id) => `/api/state/jobs/${encodeURIComponent(id)}`,
    });
    const views = once(page.found, (found) => Object.freeze(found.map((each) => Object.freeze(toJobView(each)))));
    return Object.assign(page, { views, backHref: () => route().href("jobs", "", list.query()) });
  });
}
