/** @jsxImportSource @kitajs/html */
import { MissingLine, ProblemLine } from "./parts/parts.tsx";
import { Cell, Listing } from "./parts/table.tsx";

/** The newest entries of the audit trail. */
export function AuditTable(): string {
  return (
    <Listing
      id="audit"
      data="audit"
      caption="What operators did"
      columns={[
        { sortBy: "at", label: "Time" },
        { sortBy: "who", label: "Who" },
        { sortBy: "what", label: "What" },
        { sortBy: "about", label: "About" },
        { sortBy: "detail_text", label: "Details" },
        { sortBy: "address", label: "Address" },
      ]}
      tools={
        (
          <>
            <MissingLine />
            <ProblemLine />
          </>
        ) as string
      }
      empty="The audit trail has no entries."
      rowKey="row.at + row.id + row.who"
      refresh={{ everyS: 30, run: "load()" }}
    >
      <Cell label="Time">
        <span class="line" x-text="$format.time(row.at)" x-bind:title="row.at"></span>
      </Cell>
      <Cell label="Who">
        <span class="clip" x-text="row.who" x-bind:title="row.who"></span>
      </Cell>
      <Cell label="What">
        <span class="line" x-text="row.what"></span>
      </Cell>
      <Cell label="About">
        <span class="clip" x-text="row.about || '–'" x-bind:title="row.about"></span>
      </Cell>
      <Cell label="Details">
        <span x-text="row.detail_text || '–'"></span>
      </Cell>
      <Cell label="Address">
        <span class="clip" x-text="row.address || '–'" x-bind:title="row.address"></span>
      </Cell>
    </Listing>
  ) as string;
}
