/** @jsxImportSource @kitajs/html */
import { PluginSection } from "./parts/parts.tsx";

/** The section on usage: who used how much, over time. */
export function Usage(): string {
  return (
    <PluginSection id="usage" title="Usage" summary="" parts={[]}>
      <div class="usage" x-data="usage" {...{ "x-seen:60": "load()" }}>
        <Tools />
        <p class="problem" role="alert" x-show="problem !== ''" x-text="problem"></p>
        <figure class="card plot-card">
          <figcaption>
            <span x-text="sumText()"></span> <span class="soft" x-text="estimateText()"></span>{" "}
            <span class="warn" x-text="missingText()"></span>
          </figcaption>
          <p class="soft pointed" x-text="pointed || ' '"></p>
          <div class="usage-plot" role="img" x-bind:aria-label="plotLabel()" x-usage-plot="$data"></div>
          <p class="empty" x-show="isEmpty()">
            There was no usage in this time.
          </p>
        </figure>
        <Totals />
        <Periods />
      </div>
    </PluginSection>
  ) as string;
}

function Tools(): string {
  return (
    <div class="tools">
      <Buttons
        label="Time"
        field="range"
        set="setRange"
        options={[
          ["24h", "24 hours"],
          ["30d", "30 days"],
          ["12mo", "12 months"],
        ]}
      />
      <Buttons
        label="Group by"
        field="by"
        set="setBy"
        options={[
          ["key", "Keys"],
          ["model", "Models"],
          ["tenant", "Tenants"],
        ]}
      />
      <label class="facet">
        <span class="unseen">Measure</span>
        <select id="usage-measure" x-model="measure" x-on:change="setMeasure()">
          <option value="tokens">Input and output tokens</option>
          <option value="input">Input tokens</option>
          <option value="cached">Cached input tokens</option>
          <option value="output">Output tokens</option>
          <option value="requests">Requests</option>
          <option value="audio">Audio</option>
        </select>
      </label>
      <span class="soft" role="status" x-text="isLoading && usage === null ? 'loading…' : ''"></span>
      <button type="button" class="csv" x-on:click="download()" x-bind:disabled="usage === null || isEmpty()">
        Download CSV
      </button>
    </div>
  ) as string;
}

interface ButtonsProps {
  readonly label: string;
  readonly field: string;
  readonly set: string;
  readonly options: readonly (readonly [value: string, text: string])[];
}

/** A row of buttons of which one is pressed. */
function Buttons({ label, field, set, options }: ButtonsProps): string {
  return (
    <fieldset class="parts">
      <legend class="unseen" safe>
        {label}
      </legend>
      {options.map(([value, text]) => (
        <button
          type="button"
          x-on:click={`${set}('${value}')`}
          x-bind:aria-pressed={`pressed(${field} === '${value}')`}
          safe
        >
          {text}
        </button>
      ))}
    </fieldset>
  ) as string;
}

/** The totals, which are also the legend of the plot: their buttons show and hide its areas. */
function Totals(): string {
  return (
    <section class="scroller" tabindex="0" aria-label="Usage in this time">
      <table>
        <caption class="unseen">Usage in this time. The buttons show and hide the areas of the plot.</caption>
        <thead>
          <tr>
            <th scope="col" x-text="by === 'key' ? 'Key' : by === 'model' ? 'Model' : 'Tenant'">
              Key
            </th>
            <th scope="col" class="number">
              Requests
            </th>
            <th scope="col" class="number">
              Failed
            </th>
            <th scope="col" class="number">
              Input tokens
            </th>
            <th scope="col" class="number">
              Cached
            </th>
            <th scope="col" class="number">
              Output tokens
            </th>
            <th scope="col" class="number">
              Audio
            </th>
            <th scope="col" class="number">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          <template x-for="row in totals" x-bind:key="row.key">
            <tr>
              <td data-label="Name">
                <button
                  type="button"
                  class="swatch"
                  x-on:click="toggle(row)"
                  x-bind:aria-pressed="pressed(isShown(row))"
                  x-bind:aria-label="'Show ' + row.name + ' in the plot'"
                >
                  <i aria-hidden="true" x-bind:class="colorOf(row)"></i>
                  <span x-text="row.name"></span>
                </button>
                <span
                  class="sub"
                  x-show="row.estimated > 0"
                  x-text="$format.share(row.estimated) + ' of its tokens are estimates'"
                ></span>
              </td>
              <td class="number" data-label="Requests" x-text="row.requests.toLocaleString('en')"></td>
              <td class="number" data-label="Failed" x-text="row.failures.toLocaleString('en')"></td>
              <td class="number" data-label="Input" x-text="row.input.toLocaleString('en')"></td>
              <td class="number" data-label="Cached" x-text="row.cached.toLocaleString('en')"></td>
              <td class="number" data-label="Output" x-text="row.output.toLocaleString('en')"></td>
              <td
                class="number"
                data-label="Audio"
                x-text="row.audio > 0 ? $format.duration(row.audio * 1000) : '–'"
              ></td>
              <td class="number" data-label="Share" x-text="$format.share(row.share)"></td>
            </tr>
          </template>
        </tbody>
      </table>
    </section>
  ) as string;
}

/** The figures of the plot as a table, which is filled when it is opened. */
function Periods(): string {
  return (
    <details class="card by-time" x-on:toggle="areTimesOpen = $el.open">
      <summary>The same figures over time</summary>
      <section class="rows" tabindex="0" aria-label="Usage by time">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col" class="number">
                All
              </th>
              <template x-for="each in shownTotals()" x-bind:key="each.key">
                <th scope="col" class="number" x-text="each.name"></th>
              </template>
            </tr>
          </thead>
          <tbody>
            <template x-for="row in periods()" x-bind:key="row.at">
              <tr>
                <th scope="row" x-text="row.time"></th>
                <td class="number" x-text="amount(row.total)"></td>
                <template x-for="(value, at) in row.values" x-bind:key="at">
                  <td class="number" x-text="amount(value)"></td>
                </template>
              </tr>
            </template>
          </tbody>
        </table>
      </section>
    </details>
  ) as string;
}
