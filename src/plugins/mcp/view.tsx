/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { CurlLine, Figure, Part, PluginSection, ProblemLine } from "../../../views/parts/parts.tsx";
import { RestrictionTable } from "../../../views/parts/restrictions.tsx";
import { Cell, LiveTable } from "../../../views/parts/table.tsx";
import { WorkerActions } from "../../../views/parts/worker-actions.tsx";
import type { Section } from "../../plugin/contract.ts";
import { CallTable } from "./call-table.tsx";
import { CatalogPanel } from "./catalog/catalog-view.tsx";

/** MCP on the dashboard. */
export const MCP_SECTION: Section = {
  label: "MCP servers",
  page: { id: "mcp", label: "MCP" },
  workers: { kind: "MCP", haveModels: false },
  shares: { playground: () => (<TryMcp />) as string },
  render: renderMcpView,
};

/** The page on MCP: markup that the page's script fills. */
function renderMcpView(): string {
  return (
    <PluginSection
      id="mcp"
      title="MCP relays"
      summary={(<McpSummary />) as string}
      parts={[
        { id: "relays", label: "Relays" },
        { id: "catalog", label: "Catalogue" },
        { id: "functions", label: "Functions" },
        { id: "calls", label: "Calls" },
      ]}
    >
      <Part id="relays">
        <RelayTable />
        <RestrictionTable plugin="mcp" what="relays" />
      </Part>
      <Part id="catalog">
        <CatalogPanel />
      </Part>
      <Part id="functions">
        <FunctionTable />
      </Part>
      <Part id="calls">
        <CallTable />
      </Part>
    </PluginSection>
  ) as string; // no component here is asynchronous, so the element is text
}

function McpSummary(): string {
  const of = (path: string): string => `$store.pool.plugins.mcp ? $store.pool.plugins.mcp.${path} : '–'`;
  return (
    <div class="figures-line">
      <Figure label="relays" one="relay" text={of("relays_summary.connected")} />
      <Figure label="calls" text={of("relays_summary.calls_inflight")} />
      <Figure label="streams" text={of("relays_summary.streams_open")} />
      <Figure label="sessions" text={of("relays_summary.sessions")} />
    </div>
  ) as string;
}

function RelayTable(): string {
  return (
    <LiveTable
      plugin="mcp"
      list="relays"
      caption="MCP relays"
      sortKey="name"
      facet={{ field: "upstream", label: "All kinds" }}
      columns={[
        { sortBy: "name", label: "Relay" },
        { sortBy: "upstream", label: "Server" },
        { sortBy: "calls_inflight", label: "Calls", isNumber: true },
        { sortBy: "streams_open", label: "Streams", isNumber: true },
        { sortBy: "sessions", label: "Sessions", isNumber: true },
        { sortBy: "served_total", label: "Served", isNumber: true },
        { sortBy: "failures_total", label: "Failed", isNumber: true },
        { sortBy: "connected_at", label: "Since" },
        { sortBy: "", label: "Actions", isForAdmins: true },
      ]}
      empty="No relay is connected to this server. Start one with: bun run moorage worker mcp"
    >
      <Cell label="Relay">
        <b class="name" x-text="row.name" x-bind:title="row.id"></b>
        <span class="sub clip" x-text="row.id" x-bind:title="row.id"></span>
      </Cell>
      <Cell label="Server">
        <span x-text="row.upstream || row.dialect"></span>
        <span
          class="sub"
          x-show="row.auth"
          x-text="(row.auth === 'none' ? 'no token required' : 'access: ' + row.auth)"
        ></span>
        <span class="badge draining" x-show="row.operator_drained">
          drained
        </span>
        <span class="badge not_ready" x-show="row.status === 'broken'" x-bind:title="row.status_reason">
          broken
        </span>
        <span class="sub alarm" x-show="row.status_reason" x-text="row.status_reason"></span>
      </Cell>
      <Cell label="Calls" isNumber>
        <span x-text="row.calls_inflight"></span>
      </Cell>
      <Cell label="Streams" isNumber>
        <span x-text="row.streams_open"></span>
      </Cell>
      <Cell label="Sessions" isNumber>
        <span x-text="row.sessions"></span>
      </Cell>
      <Cell label="Served" isNumber>
        <span x-text="$format.count(row.served_total)"></span>
      </Cell>
      <Cell label="Failed" isNumber>
        <span x-text="$format.count(row.failures_total)" x-bind:class="row.failures_total > 0 ? 'alarm' : ''"></span>
        <span class="sub" x-show="row.last_error" x-text="row.last_error" x-bind:title="row.last_error_at"></span>
      </Cell>
      <Cell label="Since">
        <span
          class="line"
          x-text="$format.age(row.connected_at, $store.pool.now)"
          x-bind:title="row.connected_at"
        ></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <WorkerActions plugin="mcp" />
      </Cell>
    </LiveTable>
  ) as string;
}

function FunctionTable(): string {
  return (
    <LiveTable
      plugin="mcp"
      list="functions"
      caption="Called functions"
      sortKey="name"
      facet={{ field: "relay", label: "All relays" }}
      columns={[
        { sortBy: "name", label: "Function" },
        { sortBy: "relay", label: "Relay" },
        { sortBy: "calls", label: "Calls", isNumber: true },
        { sortBy: "failures", label: "Failed", isNumber: true },
        { sortBy: "avg_ms", label: "Mean", isNumber: true },
        { sortBy: "last_ms", label: "Last", isNumber: true },
      ]}
      empty="No function has been called yet."
    >
      <Cell label="Function">
        <b class="name" x-text="row.name" x-bind:title="row.name"></b>
      </Cell>
      <Cell label="Relay">
        <span class="clip" x-text="row.relay"></span>
      </Cell>
      <Cell label="Calls" isNumber>
        <span x-text="$format.count(row.calls)"></span>
      </Cell>
      <Cell label="Failed" isNumber>
        <span x-text="$format.count(row.failures)" x-bind:class="row.failures > 0 ? 'alarm' : ''"></span>
      </Cell>
      <Cell label="Mean" isNumber>
        <span x-text="$format.duration(row.avg_ms)"></span>
      </Cell>
      <Cell label="Last" isNumber>
        <span x-text="$format.duration(row.last_ms)"></span>
      </Cell>
    </LiveTable>
  ) as string;
}

/** The panel that calls a tool of a relay, with a form made from the tool's schema. */
function TryMcp(): string {
  const relays = "($store.pool.plugins.mcp ? $store.pool.plugins.mcp.relays : [])";
  return (
    <div class="try card wide" x-data="mcp">
      <h3>Call a tool</h3>
      <form class="row" {...bind("x-on:submit.prevent", "list()")}>
        <label for="mcp-relay">
          Relay
          <select
            id="mcp-relay"
            x-model="relay"
            x-effect={`relay = relay || (${relays}.length === 1 ? ${relays}[0].id : '')`}
          >
            <option value="">Choose…</option>
            <template x-for={`each in ${relays}`} x-bind:key="each.id">
              <option x-bind:value="each.id" x-text="each.name + ' · ' + each.id"></option>
            </template>
          </select>
        </label>
        <label for="mcp-token">
          Token of the relay, if it requires one
          <input id="mcp-token" type="password" autocomplete="off" x-model="token" />
        </label>
        <button type="submit" class="main" x-bind:disabled="relay === '' || isRunning">
          List tools
        </button>
      </form>
      <div x-show="tools.length > 0">
        <label for="mcp-tool">
          Tool
          <select id="mcp-tool" x-on:change="choose($event.target.value)">
            <template x-for="each in tools" x-bind:key="each.name">
              <option x-bind:value="each.name" x-text="each.name" x-bind:selected="each.name === tool"></option>
            </template>
          </select>
        </label>
        <p class="soft" x-text="description()"></p>
        <form {...bind("x-on:submit.prevent", "call()")}>
          <template x-for="field in fields" x-bind:key="tool + ' ' + field.name">
            <ToolField />
          </template>
          <div class="buttons">
            <button type="submit" class="main" x-bind:disabled="isRunning">
              Call
            </button>
            <button type="button" x-on:click="stop()" x-bind:disabled="!isRunning">
              Stop
            </button>
            <span class="soft" role="status" x-text="isRunning ? 'Running…' : ''"></span>
          </div>
        </form>
      </div>
      <pre
        class="result"
        tabindex="0"
        x-show="result !== ''"
        x-bind:class="isError ? 'alarm' : ''"
        x-text="result"
      ></pre>
      <ProblemLine />
      <CurlLine text="curl()" />
    </div>
  ) as string;
}

function ToolField(): string {
  return (
    <label class="field">
      <span>
        <b x-text="field.name"></b>
        <span class="soft" x-text="field.isRequired ? ' required' : ''"></span>
      </span>
      <template x-if="field.kind === 'choice'">
        <select x-model="texts[field.name]">
          <option value=""></option>
          <template x-for="option in field.options" x-bind:key="option">
            <option x-bind:value="option" x-text="option"></option>
          </template>
        </select>
      </template>
      <template x-if="field.kind === 'switch'">
        <select x-model="texts[field.name]">
          <option value=""></option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      </template>
      <template x-if="field.kind === 'number'">
        <input type="text" inputmode="decimal" x-model="texts[field.name]" />
      </template>
      <template x-if="field.kind === 'text'">
        <input type="text" x-model="texts[field.name]" />
      </template>
      <template x-if="field.kind === 'json'">
        <textarea rows="3" placeholder="JSON" x-model="texts[field.name]"></textarea>
      </template>
      <span class="soft" x-text="field.description"></span>
    </label>
  ) as string;
}
