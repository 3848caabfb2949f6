/** @jsxImportSource @kitajs/html */
import type { Problem } from "../src/state/problems.ts";
import { Callers } from "./callers.tsx";
import { OneServerLine, Servers } from "./servers.tsx";

export interface OverviewProps {
  readonly problems: readonly Problem[];
  /** Whether the server belongs to a cluster. */
  readonly isCluster: boolean;
}

/** The overview: a verdict, the figures behind it, the problems, and plots of the last minutes. */
export function Overview({ problems, isCluster }: OverviewProps): string {
  return (
    <section class="overview" x-data="overview" aria-labelledby="verdict">
      <div class="verdict" x-bind:class="verdict().tone">
        <span class="lamp" aria-hidden="true"></span>
        <div>
          <h2 id="verdict" x-text="verdict().title">
            Connecting…
          </h2>
          <p x-text="verdict().detail">&nbsp;</p>
        </div>
      </div>
      <div class="tiles">
        <WorkersTile />
        <SlotsTile />
        <Tile
          label="Waiting"
          text="sample('waiting') === null ? '–' : $format.count(sample('waiting'))"
          note="jobs in the queue"
          noteText="queueText()"
        />
        <Tile label="Requests/s" text="$format.rate(perSecond('requests'))" note="over 10 s" />
        <Tile
          label="Tokens/s"
          text="$format.rate(perSecond('tokens'))"
          note="output over 10 s, running streams included"
        />
        <Tile
          label="Prompt tokens from caches"
          text="cachedPercent() === null ? '–' : cachedPercent() + ' %'"
          note="over 5 min, where answers state it"
        />
        <Tile label="Errors" text="errorPercent() + ' %'" note="of the last minute" />
        <Tile
          label="First byte"
          text="$format.duration(sample('first_byte_p50_ms'))"
          note="median of the last minute"
          noteText="'median of the last minute; p95 ' + $format.duration(sample('first_byte_p95_ms'))"
        />
      </div>
      {isCluster ? <Servers /> : ""}
      <Problems known={problems} isCluster={isCluster} />
      <div class="plots">
        <Callers isCluster={isCluster} />
        <PlotCard name="slots" title="Slots and queue" />
        <PlotCard name="requests" title="Requests" />
        <PlotCard name="tokens" title="Tokens" />
        <PlotCard name="prompts" title="Prompt tokens" />
        <PlotCard name="latency" title="Time to first byte" />
      </div>
    </section>
  ) as string;
}

interface TileProps {
  readonly label: string;
  /** The expression for the figure. */
  readonly text: string;
  readonly note: string;
  /** An expression that replaces the note once there is data. */
  readonly noteText?: string;
}

function Tile({ label, text, note, noteText }: TileProps): string {
  return (
    <div class="tile card">
      <span class="label" safe>
        {label}
      </span>
      <b x-text={text}>–</b>
      <span class="soft" {...(noteText === undefined ? {} : { "x-text": noteText })} safe>
        {note}
      </span>
    </div>
  ) as string;
}

function WorkersTile(): string {
  return (
    <div class="tile card">
      <span class="label">Workers</span>
      <b x-text="$format.count(workers())">–</b>
      <span class="stack" aria-hidden="true">
        {STATUSES.map(({ field, name }) => (
          <i class={name} x-bind:style={`{ flexGrow: sample('${field}') || 0 }`}></i>
        ))}
      </span>
      <span class="soft keys">
        {STATUSES.map(({ field, name, label }) => (
          <span class={name} x-cloak x-show={`sample('${field}') > 0`}>
            <span x-text={`sample('${field}')`}></span> {label}
          </span>
        ))}
      </span>
    </div>
  ) as string;
}

const STATUSES = [
  { field: "workers_working", name: "working", label: "working" },
  { field: "workers_idle", name: "idle", label: "idle" },
  { field: "workers_not_ready", name: "not_ready", label: "not ready" },
  { field: "workers_draining", name: "draining", label: "draining" },
] as const;

function SlotsTile(): string {
  return (
    <div class="tile card">
      <span class="label">Slots in use</span>
      <b>
        <span x-text="sample('slots_used') === null ? '–' : $format.count(sample('slots_used'))">–</span>
        <span class="of">
          {" / "}
          <span x-text="$format.count(sample('slots_total') || 0)">–</span>
        </span>
      </b>
      <ul class="pools">
        <template x-for="each in pools()" x-bind:key="each.plugin">
          <li>
            <span class="soft" x-show="pools().length > 1" x-text="each.plugin"></span>
            <meter
              min="0"
              x-bind:class="isFull(each) ? 'full' : ''"
              x-bind:max="each.slots_total || 1"
              x-bind:value="each.slots_used"
              x-bind:aria-label="each.slots_used + ' of ' + each.slots_total + ' slots of ' + each.plugin + ' in use'"
            ></meter>
            <span
              class="soft figures"
              x-bind:class="isFull(each) ? 'warn' : ''"
              x-text="pools().length > 1 ? each.slots_used + '/' + each.slots_total : $format.percent(each.slots_used, each.slots_total) + ' %'"
            ></span>
          </li>
        </template>
      </ul>
    </div>
  ) as string;
}

interface ProblemsProps {
  /** The problems that are known when the page is made. */
  readonly known: readonly Problem[];
  readonly isCluster: boolean;
}

/** The list of problems. Those that are known when the page is made have their place before the script runs. */
function Problems({ known, isCluster }: ProblemsProps): string {
  return (
    <div class="problems card">
      <h3>Problems</h3>
      {isCluster ? <OneServerLine text="problemsText()" /> : ""}
      <p class="none" x-cloak={known.length > 0} x-show="$store.pool.problems().length === 0">
        No problems detected.
      </p>
      {known.length === 0 ? "" : <KnownProblems problems={known} />}
      <ul>
        <template x-for="each in $store.pool.problems()" x-bind:key="each.code + each.plugin + each.title">
          <li x-bind:class="each.severity">
            <span class="badge" x-bind:class="each.severity" x-text="each.severity"></span>
            <div>
              <b x-text="each.title"></b> <span class="plugin-name" x-show="each.plugin" x-text="each.plugin"></span>
              <p x-text="each.advice"></p>
            </div>
            <span class="soft" x-text="'for ' + $format.age(each.since, $store.pool.now)"></span>
          </li>
        </template>
      </ul>
    </div>
  ) as string;
}

function KnownProblems({ problems }: { readonly problems: readonly Problem[] }): string {
  return (
    <ul x-init="$el.remove()">
      {problems.map(({ severity, plugin, title, advice }) => (
        <li class={severity}>
          <span class={`badge ${severity}`}>{severity}</span>
          <div>
            <b safe>{title}</b>{" "}
            <span class="plugin-name" safe>
              {plugin ?? ""}
            </span>
            <p safe>{advice}</p>
          </div>
        </li>
      ))}
    </ul>
  ) as string;
}

function PlotCard({ name, title }: { readonly name: string; readonly title: string }): string {
  return (
    <figure class="card plot-card">
      <figcaption safe>{title}</figcaption>
      <div class="plot" role="img" aria-label={`${title}, the last 15 minutes`} x-plot={name}></div>
    </figure>
  ) as string;
}
