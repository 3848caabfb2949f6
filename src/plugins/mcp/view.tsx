/** @jsxImportSource @kitajs/html */
import { Figure, Part, PluginSection } from "../../../views/parts/parts.tsx";
import { RestrictionTable } from "../../../views/parts/restrictions.tsx";
import { MenuButton, MenuItem, MenuLine, RowMenu } from "../../../views/parts/row-menu.tsx";
import { Cell, LiveTable } from "../../../views/parts/table.tsx";
import type { Section } from "../../plugin/contract.ts";
import { CallTable } from "./call-table.tsx";
import { CatalogPanel, RelayPage } from "./catalog/catalog-view.tsx";
import { renderTries } from "./try-view.tsx";

/** MCP on the dashboard. */
export const MCP_SECTION: Section = {
  label: "MCP servers",
  page: { id: "mcp", label: "MCP" },
  workers: { kind: "MCP", haveModels: false },
  shares: { playground: renderTries },
  render: renderMcpView,
};

/** The page on MCP: markup that the page's script fills. */
function renderMcpView(): string {
  return (
    <>
      <div x-show="$store.route.id === ''">
        <Relays />
      </div>
      <div x-show="$store.route.id !== ''">
        <RelayPage />
      </div>
    </>
  ) as string; // no component here is asynchronous, so the element is text
}

function Relays(): string {
  return (
    <PluginSection
      id="mcp"
      title="MCP servers"
      summary={(<McpSummary />) as string}
      parts={[
        { id: "relays", label: "Relays" },
        { id: "catalog", label: "Catalogue" },
        { id: "functions", label: "Functions" },
        { id: "calls", label: "Calls" },
      ]}
    >
      <Part id="relays">
        <div data-menu="" x-data="rowMenu">
          <RelayTable />
          <RelayMenu />
        </div>
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
  ) as string;
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
        { sortBy: "", label: "Actions" },
      ]}
      empty="No MCP server is connected. “Add a worker” shows the line that connects one."
    >
      <Cell label="Relay">
        <a
          class="name onward"
          href="#mcp"
          x-bind:href="$store.route.href('mcp', row.id)"
          x-text="row.id"
          x-bind:title="row.id"
        >
          MCP server
        </a>
        <span class="sub clip" x-show="row.name !== row.id" x-text="row.name" x-bind:title="row.name"></span>
      </Cell>
      <Cell label="Server">
        <span x-text="row.upstream || row.dialect"></span>
        <span
          class="sub"
          x-show="row.auth"
          x-text="row.auth === 'none' ? 'open' : row.auth === 'oauth' ? 'sign-in at the MCP server' : row.auth === 'connector' ? 'sign-in, or a key' : row.auth"
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
      <Cell label="Actions" place="menu">
        <MenuButton
          subject="{ key: row.id, id: row.id, name: row.name, isDrained: row.operator_drained }"
          subjectKey="row.id"
        />
      </Cell>
    </LiveTable>
  ) as string;
}

/** The actions on a relay. Those that change something ask for confirmation first. */
function RelayMenu(): string {
  const ask = (action: string): string => `$store.operator.ask('${action}', subject.id, subject.name, 'mcp')`;
  return (
    <RowMenu label="Actions for an MCP server">
      <MenuItem label="Open its page" run="$store.route.go('mcp', subject.id)" />
      <MenuItem
        label="Call a tool"
        run="$store.route.go('playground', '', { panel: 'mcp', model: subject.id })"
        isForAdmins
      />
      <MenuLine isForAdmins />
      <MenuItem label="Drain…" run={ask("drain")} when="!subject.isDrained" isForAdmins />
      <MenuItem label="Undrain…" run={ask("undrain")} when="subject.isDrained" isForAdmins />
      <MenuItem label="Disconnect…" run={ask("disconnect")} isForAdmins />
      <MenuItem label="Block…" run={ask("block")} isForAdmins isDangerous />
    </RowMenu>
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
