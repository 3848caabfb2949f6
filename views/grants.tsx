/** @jsxImportSource @kitajs/html */
import { ProblemLine } from "./parts/parts.tsx";
import { Cell, Listing } from "./parts/table.tsx";

/** The programs that people let in to MCP servers, each with a button that ends that. */
export function GrantTable(): string {
  return (
    <Listing
      id="grants"
      data="grants"
      caption="Programs that people let in"
      columns={[
        { sortBy: "client_name", label: "Program" },
        { sortBy: "relay", label: "MCP server" },
        { sortBy: "holder_name", label: "Let in by" },
        { sortBy: "created_at", label: "Since", isNumber: true },
        { sortBy: "last_used_at", label: "Last used", isNumber: true },
        { sortBy: "expires_at", label: "Ends if unused", isNumber: true },
        { sortBy: "", label: "Actions", isForAdmins: true },
      ]}
      tools={(<ProblemLine />) as string}
      empty="No program has been let in. Programs appear here once their user has signed in to a relay that runs with --access connector."
      refresh={{ everyS: 10, run: "load()" }}
    >
      <Cell label="Program">
        <span class="name clip" x-text="row.client_name" x-bind:title="row.client_id"></span>
        <span class="sub clip" x-text="row.origin" x-bind:title="row.origin"></span>
      </Cell>
      <Cell label="MCP server">
        <span class="clip" x-text="row.relay" x-bind:title="row.resource"></span>
      </Cell>
      <Cell label="Let in by">
        <span class="clip" x-text="row.holder_name" x-bind:title="row.holder_id"></span>
        <span class="sub" x-text="row.holder_kind"></span>
      </Cell>
      <Cell label="Since" isNumber>
        <span x-text="$format.age(row.created_at, $store.pool.now)" x-bind:title="row.created_at"></span>
      </Cell>
      <Cell label="Last used" isNumber>
        <span
          x-text="row.last_used_at ? $format.age(row.last_used_at, $store.pool.now) : 'never'"
          x-bind:title="row.last_used_at || ''"
        ></span>
      </Cell>
      <Cell label="Ends if unused" isNumber>
        <span
          x-text="row.expires_at ? $format.ahead(row.expires_at, $store.pool.now) : '–'"
          x-bind:title="row.expires_at || ''"
        ></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <span class="actions">
          <button
            type="button"
            class="small"
            x-on:click="$store.operator.ask('end_grant', row.id, row.client_name)"
            x-bind:aria-label="'Revoke the access of ' + row.client_name + ' to ' + row.relay"
          >
            Revoke
          </button>
        </span>
      </Cell>
    </Listing>
  ) as string;
}
