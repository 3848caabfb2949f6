/** @jsxImportSource @kitajs/html */
import { AuditTable } from "./audit.tsx";
import { GrantTable } from "./grants.tsx";
import { KeyDetails, KeyFormDialog, RotateDialog, ShownKeyDialog } from "./key-dialogs.tsx";
import { LimitBars } from "./limit-bars.tsx";
import { Part, PluginSection, ProblemLine } from "./parts/parts.tsx";
import { Cell, Listing } from "./parts/table.tsx";
import { Choice } from "./parts/table-choices.tsx";
import { TenantTable } from "./tenants.tsx";

/** Where a server has keys beside those of its settings: keys that it creates and keeps, only those of a file, or none. */
export type Keeping = "made" | "file" | "none";

export interface KeysProps {
  readonly keeping: Keeping;
  /** Whether programs can be let in to MCP servers here. */
  readonly hasGrants: boolean;
  /** The server's version. */
  readonly version: string;
}

/** The section on keys: who may use the server, how much, and what operators changed. */
export function Keys({ keeping, hasGrants, version }: KeysProps): string {
  return (
    <PluginSection
      id="keys"
      title="Keys"
      summary=""
      parts={[
        { id: "keys", label: "Keys" },
        ...(keeping === "none" ? [] : [{ id: "tenants", label: "Tenants" }]),
        ...(hasGrants ? [{ id: "grants", label: "Programs" }] : []),
        { id: "audit", label: "Audit trail" },
      ]}
    >
      <Part id="keys">{keeping === "none" ? <NoKeys /> : <KeyTable keeping={keeping} version={version} />}</Part>
      {keeping === "none" ? (
        ""
      ) : (
        <Part id="tenants">
          <TenantTable areMade={keeping === "made"} />
        </Part>
      )}
      {hasGrants ? (
        <Part id="grants">
          <GrantTable />
        </Part>
      ) : (
        ""
      )}
      <Part id="audit">
        <AuditTable />
      </Part>
    </PluginSection>
  ) as string;
}

/** Explains how to give a server keys. */
function NoKeys(): string {
  return (
    <div class="card no-keys">
      <h3>This server has no keys of its own</h3>
      <p>
        Keys for people and programs, with names, models, limits and budgets, need a place to be kept. Set{" "}
        <code>DATA_DIR</code> and restart the server to create keys on this page, or list them in a file that{" "}
        <code>KEYS_FILE</code> names. The keys of <code>API_KEY</code> and <code>CLIENT_KEY</code> go on working beside
        them.
      </p>
    </div>
  ) as string;
}

function KeyTable({ keeping, version }: { readonly keeping: "made" | "file"; readonly version: string }): string {
  return (
    <Listing
      id="keys"
      data="keys"
      caption="Keys"
      columns={[
        { sortBy: "name", label: "Key" },
        { sortBy: "kind", label: "Kind" },
        { sortBy: "", label: "Limits" },
        { sortBy: "", label: "Now", isNumber: true },
        { sortBy: "last_used", label: "Last used", isNumber: true },
        { sortBy: "expires", label: "Expires", isNumber: true },
        { sortBy: "status", label: "State" },
        { sortBy: "", label: "Actions", isForAdmins: true },
      ]}
      tools={(<Tools keeping={keeping} />) as string}
      empty={
        keeping === "made"
          ? "There are no active keys. An admin can create one."
          : "The keys file lists no active keys."
      }
      onFilter="changed()"
      count="countText()"
      refresh={{ everyS: 10, run: "load()" }}
      after={(<Dialogs version={version} />) as string}
    >
      <Cell label="Key">
        <button
          type="button"
          class="plain name"
          x-text="row.name"
          x-on:click="details(row)"
          x-bind:aria-label="'Details of ' + row.name"
        ></button>
        <span
          class="sub clip"
          x-text="row.source === 'file' ? 'in the keys file' : row.hint"
          x-bind:title="row.id"
        ></span>
        <span class="sub" x-show="row.formerText !== ''" x-text="'also ' + row.formerText"></span>
      </Cell>
      <Cell label="Kind">
        <span class="line" x-text="row.kindText"></span>
        <span class="sub clip" x-text="row.detail" x-bind:title="row.detail"></span>
        <span
          class="sub clip"
          x-show="row.modelsText !== ''"
          x-text="row.modelsText"
          x-bind:title="'Models: ' + row.modelsText"
        ></span>
      </Cell>
      <Cell label="Limits">
        <LimitBars none="row.kind === 'client' ? 'no limits' : '–'" />
      </Cell>
      <Cell label="Now" isNumber>
        <span x-show="work(row).running > 0" x-text="work(row).running + ' running'"></span>
        <span class="warn out" x-show="work(row).waiting > 0" x-text="work(row).waiting + ' waiting'"></span>
        <span class="sub" x-show="work(row).held > 0" x-text="work(row).held + ' at a limit'"></span>
        <span x-show="work(row).running + work(row).waiting === 0">–</span>
      </Cell>
      <Cell label="Last used" isNumber>
        <span
          x-text="row.last_used_at ? $format.age(row.last_used_at, $store.pool.now) : 'never'"
          x-bind:title="row.last_used_at || ''"
        ></span>
      </Cell>
      <Cell label="Expires" isNumber>
        <span
          x-text="row.expires_at ? $format.ahead(row.expires_at, $store.pool.now) : 'never'"
          x-bind:class="row.expires_at && $format.isSoon(row.expires_at, $store.pool.now) && row.status === 'active' ? 'warn' : ''"
          x-bind:title="row.expires_at || ''"
        ></span>
      </Cell>
      <Cell label="State">
        <span class="badge" x-bind:class="row.status" x-text="row.status.replace('_', ' ')"></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <Actions />
      </Cell>
    </Listing>
  ) as string;
}

function Tools({ keeping }: { readonly keeping: "made" | "file" }): string {
  return (
    <>
      <Choice
        id="keys-kind"
        label="Kind"
        model="kind"
        onChange="changed()"
        options={[
          ["", "All kinds"],
          ["client", "Clients"],
          ["worker", "Workers"],
          ["join", "Join tokens"],
          ["admin", "Admins"],
        ]}
      />
      <Choice
        id="keys-status"
        label="State"
        model="status"
        onChange="changed()"
        options={[
          ["active", "Active"],
          ["used_up", "Used up"],
          ["expired", "Expired"],
          ["revoked", "Revoked"],
          ["", "All states"],
        ]}
      />
      {keeping === "made" ? (
        <button type="button" class="main for-admins" x-on:click="create()">
          New key
        </button>
      ) : (
        ""
      )}
      <ProblemLine />
    </>
  ) as string;
}

function Actions(): string {
  return (
    <>
      <span class="actions" x-show="row.isChangeable">
        <button type="button" class="small" x-on:click="edit(row)" x-bind:aria-label="'Edit ' + row.name">
          Edit
        </button>
        <button type="button" class="small" x-on:click="askRotate(row)" x-bind:aria-label="'Rotate ' + row.name">
          Rotate
        </button>
        <button
          type="button"
          class="small"
          x-on:click="$store.operator.ask('revoke', row.id, row.name)"
          x-bind:aria-label="'Revoke ' + row.name"
        >
          Revoke
        </button>
      </span>
      <span class="sub" x-show="row.source === 'file'">
        Change it in the keys file
      </span>
    </>
  ) as string;
}

function Dialogs({ version }: { readonly version: string }): string {
  return (
    <>
      <KeyDetails />
      <KeyFormDialog />
      <RotateDialog />
      <ShownKeyDialog version={version} />
    </>
  ) as string;
}
