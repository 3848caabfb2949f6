/** @jsxImportSource @kitajs/html */
import type { TransferState } from "../src/plugins/transfer/transfer-state.ts";

/** The channels at a glance. */
export function renderTransferView(state: TransferState): string {
  const { channels, totals, active } = state;
  return (
    <section class="plugin" data-plugin="transfer">
      <h2>Transfers</h2>
      <p>
        <span class={`badge ${state.server.state}`}>{state.server.state}</span>{" "}
        <span safe>{`${channels.active} active, ${channels.waiting} waiting, ${totals.completed} completed`}</span>
      </p>
      <table>
        <thead>
          <tr>
            <th>Channel</th>
            <th>Bytes</th>
            <th>Of</th>
            <th>Since</th>
          </tr>
        </thead>
        <tbody>
          {active.map((transfer) => (
            <tr>
              <td safe>{`${transfer.channel}…`}</td>
              <td safe>{transfer.bytes === null ? "on its way" : String(transfer.bytes)}</td>
              <td safe>{transfer.length === null ? "not declared" : String(transfer.length)}</td>
              <td safe>{transfer.started_at}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  ) as string; // no component here is asynchronous, so the element is text
}
