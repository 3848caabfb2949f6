/** @jsxImportSource @kitajs/html */
import { Empty } from "./empty.tsx";
import { LoadBar } from "./parts/table.tsx";
import { OneServerLine } from "./servers.tsx";

/** The models: whether each can be used, whether it is free, and how fast it is. */
export function ModelStates({ isCluster }: { readonly isCluster: boolean }): string {
  return (
    <div class="card models">
      <div class="card-head">
        <h3 id="models-title">Models</h3>
        <a href="#models" x-cloak x-show="models().length > 0" x-text="modelsText()">
          Details
        </a>
      </div>
      {isCluster ? <OneServerLine text="modelsOfText()" /> : ""}
      <section class="rows" tabindex="0" aria-labelledby="models-title">
        <table x-cloak x-show="models().length > 0">
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">State</th>
              <th scope="col" class="load-head">
                Slots in use
              </th>
              <th scope="col" class="number wide">
                Waiting
              </th>
              <th scope="col" class="number wide">
                First byte
              </th>
              <th scope="col" class="number">
                Tokens/s
              </th>
            </tr>
          </thead>
          <tbody>
            <template x-for="row in models()" x-bind:key="row.key">
              <tr>
                <th scope="row">
                  <a
                    class="clip"
                    href="#models"
                    x-bind:href="$store.route.href('models', row.name)"
                    x-bind:title="row.name"
                    x-text="row.name"
                  >
                    Model
                  </a>
                  <span class="sub wide" x-text="row.type"></span>
                </th>
                <td>
                  <span class="badge" x-bind:class="row.tone" x-text="row.status"></span>
                </td>
                <td>
                  <LoadBar used="row.used" total="row.slots" />
                </td>
                <td
                  class="number wide"
                  x-bind:class="row.waiting > 0 ? 'warn' : 'soft'"
                  x-text="$format.count(row.waiting)"
                ></td>
                <td class="number wide" x-text="$format.duration(row.first_byte_p50_ms)"></td>
                <td class="number" x-text="row.tokens_per_s > 0 ? $format.rate(row.tokens_per_s) : '–'"></td>
              </tr>
            </template>
          </tbody>
        </table>
        <div x-cloak x-show="isKnown() && models().length === 0">
          <Empty
            title="No models yet"
            text="Models appear here as soon as a worker that serves them has joined. One line on a machine with a model server is enough."
            action={{ href: "#add", label: "Add a worker", isForAdmins: true }}
          />
        </div>
      </section>
    </div>
  ) as string;
}
