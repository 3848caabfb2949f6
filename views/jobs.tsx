/** @jsxImportSource @kitajs/html */

import { Empty } from "./empty.tsx";
import { JobPage } from "./job-page.tsx";
import { BoundLink } from "./parts/bound-link.tsx";
import { ModelLink } from "./parts/model-link.tsx";
import { MenuButton, MenuItem, MenuLine, RowMenu } from "./parts/row-menu.tsx";
import { Cell, type Column, Listing } from "./parts/table.tsx";
import { RoutedChoice } from "./parts/table-choices.tsx";

const COLUMNS: readonly Column[] = [
  { sortBy: "kind", label: "Job" },
  { sortBy: "status", label: "Status" },
  { sortBy: "model", label: "Model" },
  { sortBy: "worker_name", label: "Worker", priority: 2 },
  { sortBy: "caller", label: "Caller", priority: 2 },
  { sortBy: "waiting_ms", label: "Waited", isNumber: true, priority: 3 },
  { sortBy: "first_byte_ms", label: "First byte", isNumber: true, priority: 3 },
  { sortBy: "running_ms", label: "Ran", isNumber: true },
  { sortBy: "tokens", label: "Tokens", isNumber: true, priority: 2 },
  { sortBy: "order", label: "When", isNumber: true },
  { sortBy: "", label: "Actions", isUnseen: true },
];

/** The parts of the list. */
const SHOWS = [
  ["", "All"],
  ["now", "Running and waiting"],
  ["failed", "Failed"],
] as const;

/** The section on jobs: those that run, wait and have ended, of all plugins, and a page for each. */
export function Jobs(): string {
  return (
    <div class="page" x-data="jobs">
      <div x-show="$store.route.id === ''">
        <div data-menu="" x-data="rowMenu">
          <JobTable />
          <JobMenu />
        </div>
      </div>
      <JobPage />
    </div>
  ) as string;
}

function JobTable(): string {
  return (
    <Listing
      id="jobs"
      data="jobList"
      caption="Jobs"
      columns={COLUMNS}
      noun={["job", "jobs"]}
      isDense
      isRouted
      rowKey="row.key"
      tools={(<Tools />) as string}
      empty=""
      emptyMarkup={
        (
          <Empty
            title="No jobs running or waiting, and none remembered"
            text="Requests to models appear here while they wait and run, and stay for a while after they have ended."
            action={{ href: "#use", label: "Use a model" }}
          />
        ) as string
      }
      noMatch="chosen('show') === 'now' ? 'No jobs running or waiting.' : chosen('show') === 'failed' ? 'No failed jobs are remembered.' : 'No jobs match the filter.'"
      refresh={{ everyS: 5, run: "load()" }}
    >
      <Cell label="Job" place="name">
        <BoundLink
          look="cut row-link"
          to="$store.route.href('jobs', row.id)"
          title="row.request_id"
          text="titleOf(row)"
        />
      </Cell>
      <Cell label="Status" place="state">
        <span class="badge" x-bind:class="row.status" x-text="row.status"></span>{" "}
        <span class="soft cut why" x-show="row.why !== ''" x-text="row.why" x-bind:title="row.why"></span>
      </Cell>
      <Cell label="Model" place="line">
        <ModelLink of="row.model" />
      </Cell>
      <Cell label="Worker" priority={2}>
        <BoundLink
          look="cut"
          when="row.worker !== ''"
          to="$store.route.href('workers', row.worker, { plugin: row.plugin })"
          title="row.worker_server === '' ? row.worker : row.worker + ' on server ' + row.worker_server"
          text="row.worker_name"
        />
        <span x-show="row.worker === ''">–</span>
      </Cell>
      <Cell label="Caller" priority={2}>
        <span
          class="cut"
          x-text="row.caller"
          x-bind:title="row.end_user === '' ? row.caller : row.caller + ', user ' + row.end_user"
        ></span>
      </Cell>
      <Cell label="Waited" isNumber priority={3}>
        <span x-text="row.waiting_ms < 1 ? '–' : $format.duration(row.waiting_ms)"></span>
      </Cell>
      <Cell label="First byte" isNumber priority={3}>
        <span x-text="$format.duration(row.first_byte_ms)"></span>
      </Cell>
      <Cell label="Ran" isNumber place="line">
        <span x-text="$format.duration(row.running_ms)"></span>
      </Cell>
      <Cell label="Tokens" isNumber priority={2}>
        <span x-text="row.tokens_text"></span>
      </Cell>
      <Cell label="When" isNumber place="line">
        <span
          x-text="row.is_live ? 'now' : $format.ago(row.at, $store.pool.now)"
          x-bind:title="(row.is_live ? 'accepted ' : 'ended ') + $format.time(row.at)"
        ></span>
      </Cell>
      <Cell label="Actions" place="menu">
        <MenuButton name="titleOf(row)" />
      </Cell>
    </Listing>
  ) as string;
}

function Tools(): string {
  return (
    <>
      <fieldset class="parts" aria-label="Show">
        {SHOWS.map(([value, label]) => (
          <button
            type="button"
            x-on:click={`choose('show', '${value}')`}
            x-bind:aria-pressed={`chosen('show') === '${value}' ? 'true' : 'false'`}
          >
            {label}
          </button>
        ))}
      </fieldset>
      <RoutedChoice id="jobs-model" name="model" label="Any model" />
      <RoutedChoice id="jobs-worker" name="worker" label="Any worker" />
      <RoutedChoice id="jobs-caller" name="caller" label="Any caller" />
      <span class="warn" x-show="missing() !== ''" x-text="missing()"></span>
      <span class="problem" role="alert" x-show="problem() !== ''" x-text="problem()"></span>
    </>
  ) as string;
}

function JobMenu(): string {
  return (
    <RowMenu label="Actions for a job">
      <MenuItem label="Open its page" run="$store.route.go('jobs', subject.id)" />
      <MenuItem
        label="Jobs of this caller"
        run="$store.route.go('jobs', '', { caller: subject.caller })"
        when="subject.key !== ''"
      />
      <MenuItem label="Copy the request's id" run="copyId(subject.request_id)" />
      <MenuLine isForAdmins />
      <MenuItem
        label="Cancel…"
        run="$store.operator.ask('cancel', subject.id, titleOf(subject))"
        when="subject.is_live"
        isForAdmins
        isDangerous
      />
    </RowMenu>
  ) as string;
}
