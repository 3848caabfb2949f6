/** @jsxImportSource @kitajs/html */

interface TileProps {
  readonly label: string;
  /** The expression for the figure. */
  readonly text: string;
  readonly note: string;
  /** An expression that replaces the note once there is data. */
  readonly noteText?: string;
  /** The name of the line under the figures: its course over the last minutes. */
  readonly spark?: string;
}

/** The figures of the overview: slots and queue for each kind of work, then rates. */
export function Tiles(): string {
  return (
    <div class="tiles unready" x-init="$el.classList.remove('unready')">
      <template x-for="each in pools()" x-bind:key="each.plugin">
        <PoolTile />
      </template>
      <Tile
        label="Output"
        text="$format.rate(perSecond('tokens')) + ' tok/s'"
        note="with running streams"
        spark="tokens"
      />
      <Tile
        label="Requests"
        text="$format.rate(perSecond('requests')) + '/s'"
        note="average of 10 s"
        spark="requests"
      />
      <Tile label="Errors" text="errorText()" note="in the last minute" spark="failures" />
      <Tile
        label="First byte"
        text="$format.duration(sample('first_byte_p50_ms'))"
        note="median; p95 –"
        noteText="'median; p95 ' + $format.duration(sample('first_byte_p95_ms'))"
        spark="latency"
      />
      <Tile
        label="From prompt caches"
        text="cachedPercent() === null ? '–' : cachedPercent() + ' %'"
        note="of prompt tokens, 5 min"
        spark="cached"
      />
      <WorkersTile />
    </div>
  ) as string;
}

function PoolTile(): string {
  return (
    <a
      class="tile card pool"
      x-bind:class="each.tone"
      href="#workers"
      x-bind:href="$store.route.href('workers', '', { plugin: each.plugin })"
    >
      <span class="label" x-text="each.label"></span>
      <b>
        <span x-text="$format.count(each.slots_used)"></span>
        <span class="of">
          {" / "}
          <span x-text="$format.count(each.slots_total)"></span> slots
        </span>
      </b>
      <meter
        min="0"
        x-bind:class="each.tone"
        x-bind:max="each.slots_total || 1"
        x-bind:value="each.slots_used"
        x-bind:aria-label="each.slots_used + ' of ' + each.slots_total + ' slots of ' + each.label + ' in use'"
      ></meter>
      <span class="note" x-text="each.queueText"></span>
    </a>
  ) as string;
}

function Tile({ label, text, note, noteText, spark }: TileProps): string {
  return (
    <div class="tile card">
      <span class="label" safe>
        {label}
      </span>
      <b x-text={text}>–</b>
      {spark === undefined ? "" : <Spark name={spark} />}
      <span class="note" {...(noteText === undefined ? {} : { "x-text": noteText })} safe>
        {note}
      </span>
    </div>
  ) as string;
}

function Spark({ name }: { readonly name: string }): string {
  return (
    <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
      <path x-spark={name} vector-effect="non-scaling-stroke" />
    </svg>
  ) as string;
}

function WorkersTile(): string {
  return (
    <a class="tile card workers" href="#workers">
      <span class="label">Workers</span>
      <b x-text="$format.count(workers())">–</b>
      <span class="stack" aria-hidden="true">
        {STATUSES.map(({ field, name }) => (
          <i class={name} x-bind:style={`{ flexGrow: sample('${field}') || 0 }`}></i>
        ))}
      </span>
      <span class="note keys">
        {STATUSES.map(({ field, name, label }) => (
          <span class={name} x-cloak x-show={`sample('${field}') > 0`}>
            <span x-text={`sample('${field}')`}></span> {label}
          </span>
        ))}
        <span x-cloak x-show="workers() === 0">
          none connected
        </span>
      </span>
    </a>
  ) as string;
}

const STATUSES = [
  { field: "workers_working", name: "working", label: "working" },
  { field: "workers_idle", name: "idle", label: "idle" },
  { field: "workers_not_ready", name: "not_ready", label: "not ready" },
  { field: "workers_draining", name: "draining", label: "draining" },
] as const;
