/** @jsxImportSource @kitajs/html */
import type { PluginPoolState } from "../src/pool/pool-state.ts";

/**
 * The workers of one plugin at a glance. Everything a worker says of itself is untrusted: each leaf that holds it is
 * `safe`.
 */
export function renderPoolView(
  plugin: { readonly id: string; readonly title: string },
  state: PluginPoolState,
): string {
  return (
    <section class="plugin" data-plugin={plugin.id}>
      <h2 safe>{plugin.title}</h2>
      <p>
        <span class={`badge ${state.server.state}`}>{state.server.state}</span>{" "}
        <span safe>{`${state.server.jobs_inflight_total} running, ${state.server.scheduler_queue_len} waiting`}</span>
      </p>
      <table>
        <thead>
          <tr>
            <th>Worker</th>
            <th>Status</th>
            <th>Slots</th>
            <th>Jobs</th>
            <th>Models</th>
          </tr>
        </thead>
        <tbody>
          {state.workers.map((worker) => (
            <tr>
              <td title={worker.id} safe>
                {worker.name}
              </td>
              <td safe>
                {worker.status_reason === null ? worker.status : `${worker.status}: ${worker.status_reason}`}
              </td>
              <td safe>{`${worker.inflight} / ${worker.max_concurrency}`}</td>
              <td safe>{`${worker.processed_total} done, ${worker.failures_total} failed`}</td>
              <td safe>{worker.models.join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  ) as string; // no component here is asynchronous, so the element is text
}
