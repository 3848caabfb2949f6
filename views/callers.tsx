/** @jsxImportSource @kitajs/html */
import { OneServerLine } from "./servers.tsx";

/** The panel that shows who waits and who is served, over all plugins. */
export function Callers({ isCluster }: { readonly isCluster: boolean }): string {
  return (
    <div class="card callers">
      <div class="card-head">
        <h3 id="callers-title">Callers</h3>
      </div>
      {isCluster ? <OneServerLine text="callersText()" /> : ""}
      <section class="rows" tabindex="0" aria-labelledby="callers-title">
        <table x-cloak x-show="callers().length > 0">
          <thead>
            <tr>
              <th scope="col">Caller</th>
              <th scope="col" class="number">
                Waiting
              </th>
              <th scope="col" class="number">
                Running
              </th>
              <th scope="col" class="number wide">
                Longest wait
              </th>
              <th scope="col" class="number" title={SHARE_NOTE}>
                Share
              </th>
            </tr>
          </thead>
          <tbody>
            <template x-for="row in callers()" x-bind:key="row.key">
              <tr>
                <th scope="row">
                  <span class="clip" x-text="row.name" x-bind:title="row.title"></span>
                  <span class="sub" x-text="row.detail"></span>
                </th>
                <td class="number">
                  <span x-text="row.waiting" x-bind:class="row.waiting > 0 ? 'warn' : ''"></span>
                  <span class="sub" x-text="row.limitText"></span>
                </td>
                <td class="number" x-text="row.running"></td>
                <td class="number wide" x-text="$format.duration(row.oldest_wait_ms)"></td>
                <td class="number">
                  <span x-text="$format.share(row.share)"></span>
                  <span
                    class="sub"
                    x-text="row.fair_share === null ? '' : 'fair ' + $format.share(row.fair_share)"
                  ></span>
                </td>
              </tr>
            </template>
          </tbody>
        </table>
        <p class="none soft" x-show="callers().length === 0">
          No requests are running or waiting.
        </p>
      </section>
    </div>
  ) as string;
}

const SHARE_NOTE =
  "The part of the last minute's service of the plugin, in weighted tokens; below it, the part that the caller's weight would give it alone";
