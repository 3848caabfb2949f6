/** @jsxImportSource @kitajs/html */

/** A bar for each limit in `row.limitLines`, with the time until its budget resets. `none` is the expression for a row without any. */
export function LimitBars({ none }: { readonly none: string }): string {
  return (
    <>
      <ul class="limits" x-show="row.limitLines.length > 0">
        <template x-for="line in row.limitLines" x-bind:key="line.limit">
          <li>
            <span class="what" x-text="line.label"></span>
            <meter
              min="0"
              x-bind:class="line.isFull ? 'full' : ''"
              x-bind:max="line.max || 1"
              x-bind:value="line.used"
              x-bind:aria-label="line.label + ': ' + line.text"
            ></meter>
            <span class="figures" x-bind:class="line.isFull ? 'warn' : ''" x-text="line.text"></span>
            <span
              class="sub"
              x-show="line.resetsAt"
              x-text="line.resetsAt ? 'resets ' + $format.aheadRoughly(line.resetsAt, $store.pool.now) : ''"
              x-bind:title="line.resetsAt ? 'Resets at ' + $format.time(line.resetsAt) : ''"
            ></span>
          </li>
        </template>
      </ul>
      <span class="soft" x-show="row.limitLines.length === 0" x-text={none}></span>
    </>
  ) as string;
}
