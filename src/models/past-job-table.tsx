/** @jsxImportSource @kitajs/html */
import { MissingLine, ProblemLine } from "../../views/parts/parts.tsx";
import { Cell, Listing } from "../../views/parts/table.tsx";
import { Choice } from "../../views/parts/table-choices.tsx";

/** A plugin's requests that have ended, or those that have failed. */
export function PastJobTable({ plugin }: { readonly plugin: string }): string {
  return (
    <Listing
      id={`${plugin}-past`}
      data={`pastJobs('${plugin}')`}
      caption="Recent requests"
      columns={[
        { sortBy: "ended_at", label: "Ended" },
        { sortBy: "outcome", label: "Outcome" },
        { sortBy: "caller", label: "Caller" },
        { sortBy: "model", label: "Model" },
        { sortBy: "worker", label: "Worker" },
        { sortBy: "output_tokens", label: "Tokens", isNumber: true },
        { sortBy: "wait_ms", label: "Waited", isNumber: true },
        { sortBy: "held_ms", label: "Ran", isNumber: true },
      ]}
      tools={(<Tools plugin={plugin} />) as string}
      empty="No request has ended yet."
      refresh={{ everyS: 15, run: "load()" }}
    >
      <Cell label="Ended">
        <span
          class="line"
          x-text="$format.age(row.ended_at, $store.pool.now) + ' ago'"
          x-bind:title="row.ended_at"
        ></span>
        <span class="sub clip" x-text="row.id" x-bind:title="row.id"></span>
      </Cell>
      <Cell label="Outcome">
        <span class="badge" x-bind:class="row.outcome" x-text="row.outcome"></span>
        <span class="sub" x-show="row.reason || row.status >= 400" x-text="row.reason || 'status ' + row.status"></span>
      </Cell>
      <Cell label="Caller">
        <span class="clip" x-text="row.caller" x-bind:title="row.caller"></span>
        <span
          class="sub clip"
          x-show="row.end_user"
          x-text="row.end_user ? 'user ' + row.end_user : ''"
          x-bind:title="row.end_user"
        ></span>
      </Cell>
      <Cell label="Model">
        <span class="clip models" x-text="row.model" x-bind:title="row.model"></span>
      </Cell>
      <Cell label="Worker">
        <span class="clip" x-text="row.worker || '–'" x-bind:title="row.worker"></span>
        <span
          class="sub clip"
          x-show="row.worker_server"
          x-text="row.worker_server ? 'on ' + row.worker_server : ''"
        ></span>
      </Cell>
      <Cell label="Tokens" isNumber>
        <span x-text="row.tokens_text"></span>
        <span class="sub" x-show="row.notes !== ''" x-text="row.notes"></span>
      </Cell>
      <Cell label="Waited" isNumber>
        <span x-text="$format.duration(row.wait_ms)"></span>
      </Cell>
      <Cell label="Ran" isNumber>
        <span x-text="$format.duration(row.held_ms)"></span>
      </Cell>
    </Listing>
  ) as string;
}

function Tools({ plugin }: { readonly plugin: string }): string {
  return (
    <>
      <Choice
        id={`${plugin}-past-outcome`}
        label="Outcome"
        model="choice"
        onChange="changed()"
        options={[
          ["", "All recent requests"],
          ["failed", "Failed requests"],
        ]}
      />
      <MissingLine />
      <ProblemLine />
    </>
  ) as string;
}
