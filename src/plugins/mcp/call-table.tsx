/** @jsxImportSource @kitajs/html */
import { MissingLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { Cell, Listing } from "../../../views/parts/table.tsx";
import { Choice } from "../../../views/parts/table-choices.tsx";

/** The newest calls of tools, prompts and resources that match what the viewer looks for. */
export function CallTable(): string {
  return (
    <Listing
      id="mcp-calls"
      data="mcpCalls"
      caption="Calls"
      columns={[
        { sortBy: "ended_at", label: "Ended" },
        { sortBy: "outcome", label: "Outcome" },
        { sortBy: "caller_text", label: "Caller" },
        { sortBy: "relay", label: "Relay" },
        { sortBy: "name", label: "Called" },
        { sortBy: "duration_ms", label: "Took", isNumber: true },
        { sortBy: "bytes_in", label: "Request", isNumber: true },
        { sortBy: "bytes_out", label: "Answer", isNumber: true },
      ]}
      tools={(<Tools />) as string}
      empty="There are no such calls."
      rowKey="(row.server || '') + row.id"
      onFilter="changed()"
      count="countText()"
      refresh={{ everyS: 5, run: "load()" }}
    >
      <Cell label="Ended">
        <span class="line" x-text="$format.time(row.ended_at)" x-bind:title="row.ended_at"></span>
        <span class="sub clip" x-text="row.request_id" x-bind:title="row.request_id"></span>
      </Cell>
      <Cell label="Outcome">
        <span class="badge" x-bind:class="row.outcome" x-text="row.outcome"></span>
        <span class="sub" x-show="row.why !== ''" x-text="row.why"></span>
      </Cell>
      <Cell label="Caller">
        <span class="clip" x-text="row.caller_text" x-bind:title="row.caller_text"></span>
        <span class="sub clip" x-show="row.caller_notes !== ''" x-text="row.caller_notes"></span>
      </Cell>
      <Cell label="Relay">
        <span class="clip" x-text="row.relay" x-bind:title="row.relay"></span>
        <span class="sub clip" x-show="row.servers !== ''" x-text="row.servers"></span>
      </Cell>
      <Cell label="Called">
        <b class="name clip" x-text="row.name || '–'" x-bind:title="row.name"></b>
        <span class="sub" x-text="row.method"></span>
        <span class="sub clip" x-show="row.arguments" x-text="row.arguments" x-bind:title="row.arguments"></span>
      </Cell>
      <Cell label="Took" isNumber>
        <span x-text="$format.duration(row.duration_ms)"></span>
      </Cell>
      <Cell label="Request" isNumber>
        <span x-text="$format.bytes(row.bytes_in)"></span>
      </Cell>
      <Cell label="Answer" isNumber>
        <span x-text="$format.bytes(row.bytes_out)"></span>
      </Cell>
    </Listing>
  ) as string;
}

function Tools(): string {
  return (
    <>
      <Choice
        id="mcp-calls-outcome"
        label="Outcome"
        model="choice"
        onChange="changed()"
        options={[
          ["", "All outcomes"],
          ["completed", "Completed"],
          ["error", "Errors of MCP servers"],
          ["failed", "Failed"],
          ["canceled", "Canceled"],
          ["denied", "Denied"],
          ["refused", "Refused"],
        ]}
      />
      <a class="button" href="/api/mcp/calls?format=jsonl" x-bind:href="exportUrl()" download="mcp-calls.jsonl">
        Download as JSON lines
      </a>
      <MissingLine />
      <ProblemLine />
    </>
  ) as string;
}
