/** @jsxImportSource @kitajs/html */
import { Figure, PluginSection } from "../../../views/parts/parts.tsx";
import { Cell, LiveTable } from "../../../views/parts/table.tsx";
import type { Section } from "../../plugin/contract.ts";
import type { Outcome } from "./passage.ts";
import { renderTries } from "./try-view.tsx";

/** Transfers on the dashboard. */
export const TRANSFER_SECTION: Section = {
  label: "Transfers",
  page: { id: "transfers", label: "Transfers" },
  shares: { playground: renderTries },
  render: renderTransferView,
};

/** The page on transfers: markup that the page's script fills. */
function renderTransferView(): string {
  return (
    <PluginSection id="transfer" title="Transfers" summary={(<TransferSummary />) as string} parts={[]}>
      <ActiveTable />
      <RecentTable />
    </PluginSection>
  ) as string; // no component here is asynchronous, so the element is text
}

function TransferSummary(): string {
  const state = "$store.pool.plugins.transfer";
  const of = (path: string): string => `${state} ? ${state}.${path} : '–'`;
  return (
    <div class="figures-line">
      <Figure label="waiting" text={of("channels.waiting")} />
      <Figure label="active" text={of("channels.active")} />
      <Figure label="completed" text={of("totals.completed")} />
      <Figure
        label="broken"
        text={`${state} ? ${state}.totals.writer_gone + ${state}.totals.reader_gone + ${state}.totals.wrong_length + ${state}.totals.stalled : '–'`}
      />
      <Figure label="moved" text={`${state} ? $format.bytes(${state}.totals.bytes) : '–'`} />
      <a class="button for-admins" href="#playground?panel=transfer">
        Send a file
      </a>
    </div>
  ) as string;
}

function ActiveTable(): string {
  return (
    <LiveTable
      plugin="transfer"
      list="active"
      caption="Active channels"
      sortKey=""
      columns={[
        { sortBy: "channel", label: "Channel" },
        { sortBy: "bytes", label: "Passed", isNumber: true },
        { sortBy: "length", label: "Of", isNumber: true },
        { sortBy: "bytes_per_s", label: "Rate", isNumber: true },
        { sortBy: "started_at", label: "Since" },
      ]}
      empty="No active transfers."
    >
      <Cell label="Channel">
        <b class="name" x-text="row.channel + '…'"></b>
      </Cell>
      <Cell label="Passed" isNumber>
        <span x-text="row.bytes === null ? 'in progress' : $format.bytes(row.bytes)"></span>
      </Cell>
      <Cell label="Of" isNumber>
        <span x-text="row.length === null ? 'not declared' : $format.bytes(row.length)"></span>
      </Cell>
      <Cell label="Rate" isNumber>
        <span x-text="row.bytes_per_s === null ? '–' : $format.bytes(row.bytes_per_s) + '/s'"></span>
      </Cell>
      <Cell label="Since">
        <span class="line" x-text="$format.age(row.started_at, $store.pool.now)" x-bind:title="row.started_at"></span>
      </Cell>
    </LiveTable>
  ) as string;
}

/** What became of the last transfers, in words. */
const OUTCOMES = [
  ["completed", "completed"],
  ["writer_gone", "the sender left"],
  ["reader_gone", "the receiver left"],
  ["wrong_length", "not the declared length"],
  ["stalled", "no byte moved for too long"],
  ["closed", "the server shut down, or a key ended"],
] as const satisfies readonly (readonly [Outcome, string])[];

function RecentTable(): string {
  return (
    <>
      <h3>Last transfers</h3>
      <LiveTable
        plugin="transfer"
        list="recent"
        caption="Transfers that have ended"
        sortKey=""
        rowKey="row.nth"
        columns={[
          { sortBy: "ended_at", label: "Ended" },
          { sortBy: "outcome", label: "Outcome" },
          { sortBy: "bytes", label: "Size", isNumber: true },
          { sortBy: "duration_ms", label: "Took", isNumber: true },
          { sortBy: "writer", label: "From" },
          { sortBy: "reader", label: "To" },
        ]}
        empty="No transfer has ended since this server started."
      >
        <Cell label="Ended">
          <span
            class="line"
            x-text="$format.ago(row.ended_at, $store.pool.now)"
            x-bind:title="$format.time(row.ended_at)"
          ></span>
        </Cell>
        <Cell label="Outcome">
          {OUTCOMES.map(([outcome, text]) => (
            <span
              class={outcome === "completed" ? "badge completed" : "badge failed"}
              x-show={`row.outcome === '${outcome}'`}
            >
              {text}
            </span>
          ))}
        </Cell>
        <Cell label="Size" isNumber>
          <span x-text="row.bytes === null ? '–' : $format.bytes(row.bytes)"></span>
        </Cell>
        <Cell label="Took" isNumber>
          <span x-text="$format.duration(row.duration_ms)"></span>
        </Cell>
        <Cell label="From">
          <span class="clip" x-text="row.writer" x-bind:title="row.writer"></span>
        </Cell>
        <Cell label="To">
          <span class="clip" x-text="row.reader" x-bind:title="row.reader"></span>
        </Cell>
      </LiveTable>
    </>
  ) as string;
}
