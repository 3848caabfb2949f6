/** @jsxImportSource @kitajs/html */

const RANGES = [
  ["5", "5 min"],
  ["15", "15 min"],
] as const;

const PLOTS = [
  ["slots", "Slots and queue, all kinds of work"],
  ["requests", "Requests"],
  ["tokens", "Output tokens"],
  ["latency", "Time to first byte"],
  ["prompts", "Prompt tokens"],
  ["bytes", "Bytes of answers"],
] as const;

/** Plots of the last minutes. All of them show the time that the pointer is at in any of them. */
export function Charts(): string {
  return (
    <section class="charts" aria-labelledby="charts-title">
      <div class="card-head">
        <h3 id="charts-title">Activity</h3>
        <span class="soft" x-text="cursorText()"></span>
        <fieldset class="segments">
          <legend class="unseen">Time shown</legend>
          {RANGES.map(([minutes, label]) => (
            <button
              type="button"
              x-on:click={`showRange('${minutes}')`}
              x-bind:aria-pressed={`range() === '${minutes}' ? 'true' : 'false'`}
            >
              {label}
            </button>
          ))}
        </fieldset>
      </div>
      <div class="plots">
        {PLOTS.map(([name, title]) => (
          <figure class="card plot-card">
            <figcaption>{title}</figcaption>
            <div class="plot" role="img" aria-label={`${title} over the last minutes`} x-plot={name}></div>
          </figure>
        ))}
      </div>
    </section>
  ) as string;
}
