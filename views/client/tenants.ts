import type { TenantView } from "../../src/admin/key-view.ts";
import type { AlpineApi } from "./alpine.js";
import { assertOk, messageOf, Refusal } from "./answers.ts";
import { createAskedList } from "./asked-list.ts";
import { byLabel, dialog, fieldOf } from "./form-dialog.ts";
import { emptyLimits, limitsOf, toLimits } from "./limit-form.ts";
import type { Row } from "./listing.ts";
import { toTenantRow } from "./tenant-row.ts";

const FORM = "tenant-form";
/** The largest pages that the server returns. */
const LIST = "/api/tenants?limit=1000";

/** The table of tenants whose keys share limits, with its dialog: `x-data="tenants"`. */
export function createTenants(alpine: AlpineApi) {
  return () => ({
    ...createAskedList(alpine, {
      path: () => LIST,
      pathAfter: ({ name }) => `${LIST}&after=${encodeURIComponent(String(name))}`,
      toRow: (entry: Row): Row => ({ ...toTenantRow(entry as unknown as TenantView) }), // the server's own
    }),
    form: { name: "", ...emptyLimits() },
    /** Whether the form is for a tenant that is yet to be named. */
    isNew: true,
    formProblem: "",
    isBusy: false,

    init(): void {
      document.addEventListener("tenantschange", () => void this.load());
    },
    create(): void {
      this.openForm("", {});
    },
    edit({ name, limits }: TenantView): void {
      this.openForm(name, limits);
    },
    openForm(name: string, limits: TenantView["limits"]): void {
      const form = { name, ...limitsOf(limits) };
      Object.assign(this, { form, isNew: name === "", formProblem: "", isBusy: false });
      dialog(FORM).showModal();
    },
    close(id: string): void {
      dialog(id).close();
    },
    formTitle(): string {
      return this.isNew ? "Limits of a tenant" : `Limits of ${this.form.name}`;
    },
    async save(): Promise<void> {
      const { form } = this;
      Object.assign(this, { isBusy: true, formProblem: "" });
      try {
        const body = JSON.stringify({ limits: toLimits(form) });
        const headers = { "content-type": "application/json" };
        await assertOk(await fetch(pathOf(form.name), { method: "PUT", body, headers }));
        dialog(FORM).close();
        void this.load();
      } catch (error) {
        const field = error instanceof Refusal ? fieldOf(FORM, error.param) : null;
        this.formProblem = field === null ? messageOf(error) : byLabel(messageOf(error), field);
        field?.focus();
      } finally {
        this.isBusy = false;
      }
    },
    /** The viewer's time zone, as a suggestion. */
    zone(): string {
      return Intl.DateTimeFormat().resolvedOptions().timeZone;
    },
  });
}

function pathOf(name: string): string {
  return `/api/tenants/${encodeURIComponent(name.trim())}`;
}
