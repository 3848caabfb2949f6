/** @jsxImportSource @kitajs/html */
import { CancelButton, Field, FormProblem } from "./form-parts.tsx";
import { LimitBars } from "./limit-bars.tsx";
import { LimitFields } from "./limit-fields.tsx";
import { bind } from "./parts/bind.ts";
import { ProblemLine } from "./parts/parts.tsx";
import { Cell, Listing } from "./parts/table.tsx";

/** The tenants whose keys share limits. `areMade`: operators can set limits here, and not only in the keys file. */
export function TenantTable({ areMade }: { readonly areMade: boolean }): string {
  return (
    <Listing
      id="tenants"
      data="tenants"
      caption="Tenants"
      columns={[
        { sortBy: "name", label: "Tenant" },
        { sortBy: "", label: "Shared limits" },
        { sortBy: "changed_at", label: "Changed" },
        { sortBy: "", label: "Actions", isForAdmins: true },
      ]}
      tools={(<Tools areMade={areMade} />) as string}
      empty={
        areMade
          ? "No tenant has limits of its own. An admin can set some, which all keys of the tenant then share."
          : "The keys file gives no limits for tenants."
      }
      rowKey="row.name"
      refresh={{ everyS: 10, run: "load()" }}
      after={(<TenantForm />) as string}
    >
      <Cell label="Tenant">
        <span class="name clip" x-text="row.name" x-bind:title="row.name"></span>
        <span class="sub" x-text="row.manner" x-show="row.manner !== ''"></span>
      </Cell>
      <Cell label="Shared limits">
        <LimitBars none="'–'" />
      </Cell>
      <Cell label="Changed">
        <span class="line" x-text="$format.time(row.changed_at)" x-bind:title="row.changed_at"></span>
        <span class="sub clip" x-text="row.changed_by" x-bind:title="row.changed_by"></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <span class="actions" x-show="row.source === 'made'">
          <button type="button" class="small" x-on:click="edit(row)" x-bind:aria-label="'Edit limits of ' + row.name">
            Edit
          </button>
          <button
            type="button"
            class="small"
            x-on:click="$store.operator.ask('remove', row.name, row.name)"
            x-bind:aria-label="'Remove limits of ' + row.name"
          >
            Remove
          </button>
        </span>
        <span class="sub" x-show="row.source === 'file'">
          Change it in the keys file
        </span>
      </Cell>
    </Listing>
  ) as string;
}

function Tools({ areMade }: { readonly areMade: boolean }): string {
  return (
    <>
      {areMade ? (
        <button type="button" class="main for-admins" x-on:click="create()">
          Limit a tenant
        </button>
      ) : (
        ""
      )}
      <ProblemLine />
    </>
  ) as string;
}

/** The dialog that sets the limits of a tenant. */
function TenantForm(): string {
  return (
    <dialog id="tenant-form" class="ask key-form" aria-labelledby="tenant-form-title">
      <h2 id="tenant-form-title" x-text="formTitle()">
        Limits of a tenant
      </h2>
      <form {...bind("x-on:submit.prevent", "save()")} autocomplete="off">
        <p class="soft">All keys of the tenant share these limits. Each key has its own limits beside them.</p>
        <div class="fields" x-show="isNew">
          <Field name="name" label="Tenant" placeholder="default" isRequired />
        </div>
        <LimitFields id="tenant" />
        <FormProblem />
        <div class="buttons">
          <CancelButton dialog="tenant-form" />
          <button type="submit" class="main" x-bind:disabled="isBusy">
            Save
          </button>
        </div>
      </form>
    </dialog>
  ) as string;
}
