/** @jsxImportSource @kitajs/html */
import { Cell, LiveTable, LoadBar } from "../../views/parts/table.tsx";
import { SPEED_NOTE, TOKENS_NOTE } from "./token-notes.ts";

const CONTEXT_NOTE = "Tokens of one request, input and output; the smallest of the model's workers";
const CACHED_NOTE = "The part of the last minute's prompt tokens that came from caches, where the answers state it";

/** The models that a plugin's workers serve. */
export function ModelTable({ plugin }: { readonly plugin: string }): string {
  return (
    <LiveTable
      plugin={plugin}
      list="models"
      caption="Models"
      sortKey="name"
      columns={[
        { sortBy: "name", label: "Model" },
        { sortBy: "type", label: "Type" },
        { sortBy: "context_length", label: "Context", isNumber: true },
        { sortBy: "workers", label: "Workers", isNumber: true },
        { sortBy: "inflight", label: "Load" },
        { sortBy: "waiting", label: "Waiting", isNumber: true },
        { sortBy: "requests_total", label: "Requests", isNumber: true },
        { sortBy: "cached_share", label: "Cached", isNumber: true },
        { sortBy: "decode_tokens_per_s", label: "Speed", isNumber: true },
        { sortBy: "tokens_per_s", label: "Tokens/s", isNumber: true },
      ]}
      empty="No worker of this server offers a model."
    >
      <Cell label="Model">
        <b class="name" x-text="row.name" x-bind:title="row.name"></b>
      </Cell>
      <Cell label="Type">
        <span x-text="row.type || '–'"></span>
      </Cell>
      <Cell label="Context" isNumber>
        <span x-text="row.context_length ? $format.count(row.context_length) : '–'" title={CONTEXT_NOTE}></span>
      </Cell>
      <Cell label="Workers" isNumber>
        <span x-text="row.workers"></span>
        <span class="sub" x-show="row.loaded !== null" x-text="'loaded on ' + row.loaded"></span>
        <span class="sub alarm" x-show="row.out > 0" x-text="row.out + ' out'"></span>
      </Cell>
      <Cell label="Load">
        <LoadBar used="(row.slots_total - row.slots_free)" total="row.slots_total" />
      </Cell>
      <Cell label="Waiting" isNumber>
        <span x-text="row.waiting" x-bind:class="row.waiting > 0 ? 'warn' : ''"></span>
        <template x-for="each in row.waiting_by" x-bind:key="each.caller">
          <span class="sub clip" x-text="each.waiting + ' × ' + each.caller" x-bind:title="each.caller"></span>
        </template>
      </Cell>
      <Cell label="Requests" isNumber>
        <span x-text="$format.count(row.requests_total)"></span>
      </Cell>
      <Cell label="Cached" isNumber>
        <span x-text="$format.share(row.cached_share)" title={CACHED_NOTE}></span>
      </Cell>
      <Cell label="Speed" isNumber>
        <span x-text="$format.speeds(row)" title={SPEED_NOTE}></span>
      </Cell>
      <Cell label="Tokens/s" isNumber>
        <span x-text="$format.rate(row.tokens_per_s)" title={TOKENS_NOTE}></span>
      </Cell>
    </LiveTable>
  ) as string;
}
