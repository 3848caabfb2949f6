/** @jsxImportSource @kitajs/html */

/** The overview: a verdict, the figures behind it, the problems, and plots of the last minutes. */
export function Overview(): string {
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
        />
        <Tile label="Requests/s" text="$format.rate(perSecond('requests'))" note="over 10 s" />
        <Tile label="Tokens/s" text="$format.rate(perSecond('tokens'))" note="over 10 s, as jobs end, where stated" />
        <Tile label="Errors" text="errorPercent() + ' %'" note="of the last minute" />
        <Tile
          label="First byte"
          text="$format.duration(sample('first_byte_p50_ms'))"
          note="median of the last minute"
        />
        <Tile
          label="First byte, p95"
          text="$format.duration(sample('first_byte_p95_ms'))"
          note="the slowest 5 % of the last minute"
        />
      </div>
      <Problems />
      <div class="plots">
        <PlotCard name="slots" title="Slots and queue" />
        <PlotCard name="requests" title="Requests" />
        <PlotCard name="tokens" title="Tokens" />
        <PlotCard name="latency" title="Time to first byte" />
      </div>
    </section>
  ) as string;
}

function Tile({ label, text, note }: { readonly label: string; readonly text: string; readonly note: string }): string {
  return (
    <div class="tile card">
      <span class="label" safe>
        {label}
      </span>
      <b x-text={text}>–</b>
      <span class="soft" safe>
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
      <meter
        min="0"
        aria-label="Share of slots in use"
        x-bind:max="sample('slots_total') || 1"
        x-bind:value="sample('slots_used') || 0"
      ></meter>
      <span class="soft" x-text="$format.percent(sample('slots_used') || 0, sample('slots_total') || 0) + ' %'">
        0 %
      </span>
    </div>
  ) as string;
}

function Problems(): string {
  return (
    <div class="problems card">
      <h3>Problems</h3>
      <p class="none" x-show="$store.pool.problems().length === 0">
        No problems detected.
      </p>
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

function PlotCard({ name, title }: { readonly name: string; readonly title: string }): string {
  return (
    <figure class="card plot-card">
      <figcaption safe>{title}</figcaption>
      <div class="plot" role="img" aria-label={`${title}, the last 15 minutes`} x-plot={name}></div>
    </figure>
  ) as string;
}
