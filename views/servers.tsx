/** @jsxImportSource @kitajs/html */
import { LoadBar } from "./parts/table.tsx";

/** The choice of the server that the page shows. */
export function ServerSwitch(): string {
  return (
    <label class="server-switch" x-data="">
      <span class="unseen">Server</span>
      <select id="server" x-on:change="$store.pool.choose($event.target.value)">
        <option value="" x-bind:selected="$store.pool.chosen === ''">
          All servers
        </option>
        <template x-for="each in $store.pool.servers()" x-bind:key="each.id">
          <option
            x-bind:value="each.id"
            x-text="each.state === 'alive' ? each.id : each.id + ' (' + each.state + ')'"
            x-bind:selected="each.id === $store.pool.chosen"
          ></option>
        </template>
      </select>
    </label>
  ) as string;
}

/** The line that says whose workers and jobs are listed, and since when they are not current. */
export function ServerLine(): string {
  return (
    <p class="server-line" x-data="" x-cloak x-show="isOfOneServer()">
      <span x-text="$store.pool.listText()"></span>{" "}
      <span class="warn" role="status" x-text="$store.pool.staleText()"></span>
    </p>
  ) as string;
}

/** The line of a panel that has nothing but one server's data, also where the page shows all servers. */
export function OneServerLine({ text }: { readonly text: string }): string {
  return (<p class="soft one-server" x-cloak x-show="$store.pool.chosen === ''" x-text={text}></p>) as string;
}

/** The servers of the cluster with their health. */
export function Servers(): string {
  return (
    <div class="card servers" x-data="servers">
      <h3 id="servers-title">Servers</h3>
      <p class="soft" x-text="summary()">
        &nbsp;
      </p>
      <section class="rows" tabindex="0" aria-labelledby="servers-title">
        <table>
          <thead>
            <tr>
              <th scope="col">Server</th>
              <th scope="col">State</th>
              <th scope="col">Link</th>
              <th scope="col" class="number">
                Workers
              </th>
              <th scope="col">Slots</th>
              <th scope="col" class="number">
                Waiting
              </th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col">Problems</th>
            </tr>
          </thead>
          <tbody>
            <template x-for="row in rows()" x-bind:key="row.id">
              <tr x-bind:class="row.state === 'gone' ? 'gone' : ''">
                <th scope="row">
                  <button
                    type="button"
                    class="plain"
                    x-on:click="$store.pool.choose(row.id)"
                    x-bind:aria-pressed="row.id === $store.pool.chosen ? 'true' : 'false'"
                    x-text="row.id"
                  ></button>
                  <span class="sub" x-text="detail(row)"></span>
                </th>
                <td>
                  <span class="badge" x-bind:class="badge(row)" x-text="row.is_lost ? 'lost' : row.state"></span>
                  <span class="sub" x-text="'for ' + $format.age(row.since, $store.pool.now)"></span>
                </td>
                <td>
                  <span x-text="link(row)"></span>
                  <span
                    class="sub"
                    x-text="row.link_problem ? row.link_problem.reason : heard(row)"
                    x-bind:title="row.link_problem ? row.link_problem.address || '' : ''"
                  ></span>
                </td>
                <td class="number" x-text="now(row, row.workers)"></td>
                <td>
                  <span x-show="row.state === 'gone'">–</span>
                  <div x-show="row.state !== 'gone'">
                    <LoadBar used="row.busy" total="row.slots" />
                  </div>
                </td>
                <td class="number">
                  <span
                    x-text="now(row, row.waiting)"
                    x-bind:class="row.state !== 'gone' && row.waiting > 0 ? 'warn' : ''"
                  ></span>
                </td>
                <td class="number" x-text="row.sample ? requests(row) : '–'"></td>
                <td x-text="problems(row)"></td>
              </tr>
            </template>
          </tbody>
        </table>
      </section>
    </div>
  ) as string;
}
