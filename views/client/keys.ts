import type { KeyView } from "../../src/admin/key-view.ts";
import { assertOk, messageOf, Refusal } from "./answers.ts";
import { byLabel, dialog, fieldOf } from "./form-dialog.ts";
import { emptyForm, formOf, hasField, type KeyForm, toPatch, toSpec } from "./key-form.ts";
import { callerOf, type Fact, factsOf, type KeyRow, type KeyWork, toKeyRow, workByCaller } from "./key-row.ts";
import type { PoolStore } from "./pool-store.ts";

/** Keys per page. The server sorts and filters, so a page costs the browser the same with ten keys or ten thousand. */
const PAGE_SIZE = 50;
const IDLE: KeyWork = { running: 0, waiting: 0, held: 0 };

/** The answer of `GET /api/keys`. */
interface KeyPage {
  readonly data: readonly KeyView[];
  readonly total: number;
}

/** The table of keys with its dialogs: `x-data="keys"`. It has the members that the markup of a listing uses. */
export function createKeys(pool: () => PoolStore) {
  return () => {
    /** The number of the newest question, so that an answer that comes late is dropped. */
    let asked = 0;
    let work: { readonly plugins: PoolStore["plugins"]; readonly byCaller: ReadonlyMap<string, KeyWork> } | undefined;
    /** A name for the request that the form sends. A repetition of the same request has the same one. */
    let operation = { body: "", id: "" };
    let before = emptyForm();
    /** When the form was opened. "In 30 days" counts from then, so that a repeated submission is the same request. */
    let openedAt = 0;
    return {
      filter: "",
      kind: "",
      status: "active",
      sortKey: "name",
      isDescending: false,
      page: 0,
      found: EMPTY,
      keyCount: 0,
      isLoaded: false,
      problem: "",

      form: emptyForm(),
      formProblem: "",
      isBusy: false,
      /** The key that a dialog is about; null while the form is for a new one. */
      chosen: null as KeyRow | null,
      facts: [] as readonly Fact[],
      overlap: "24h",
      /** The text of a key that was just created. It is gone when its dialog closes. */
      shownKey: "",
      shownName: "",
      shownKind: "client" as KeyView["kind"],

      init(): void {
        document.addEventListener("keyschange", () => void this.load());
      },
      async load(): Promise<void> {
        asked += 1;
        const question = asked;
        const query = new URLSearchParams({
          limit: String(PAGE_SIZE),
          offset: String(this.page * PAGE_SIZE),
          sort: `${this.isDescending ? "-" : ""}${this.sortKey}`,
        });
        for (const [name, value] of [
          ["search", this.filter],
          ["kind", this.kind],
          ["status", this.status],
        ] as const)
          if (value.trim() !== "") query.set(name, value.trim());
        try {
          const response = await assertOk(await fetch(`/api/keys?${query}`));
          const { data, total } = (await response.json()) as KeyPage; // the server's own
          if (question !== asked) return;
          this.found = Object.freeze(data.map((key) => Object.freeze(toKeyRow(key))));
          this.keyCount = total;
          this.problem = "";
          this.isLoaded = true;
          // The last keys of the last page are gone.
          if (data.length === 0 && this.page > 0) this.turn(-this.page);
        } catch (error) {
          if (question === asked) this.problem = messageOf(error);
        }
      },

      rows(): readonly KeyRow[] {
        return this.found;
      },
      matching(): number {
        return this.keyCount;
      },
      /** At least 1 while something is filtered out, which a list without any keys is told apart by. */
      total(): number {
        const isFiltered = this.filter !== "" || this.kind !== "" || this.status !== "active" || !this.isLoaded;
        return Math.max(this.keyCount, isFiltered ? 1 : 0);
      },
      countText(): string {
        if (!this.isLoaded) return this.problem === "" ? "loading…" : "";
        return `${this.keyCount.toLocaleString("en")} ${this.keyCount === 1 ? "key" : "keys"}`;
      },
      pages(): number {
        return Math.max(1, Math.ceil(this.keyCount / PAGE_SIZE));
      },
      /** Asks again from the first page on, after the filter or the order was changed. */
      changed(): void {
        this.page = 0;
        void this.load();
      },
      sortBy(key: string): void {
        this.isDescending = this.sortKey === key ? !this.isDescending : key === "last_used";
        this.sortKey = key;
        this.changed();
      },
      /** For `aria-sort`. */
      order(key: string): "none" | "ascending" | "descending" {
        if (this.sortKey !== key) return "none";
        return this.isDescending ? "descending" : "ascending";
      },
      turn(pages: number): void {
        this.page = Math.max(0, Math.min(this.page + pages, this.pages() - 1));
        void this.load();
      },
      isFirstPage(): boolean {
        return this.page === 0;
      },
      isLastPage(): boolean {
        return this.page >= this.pages() - 1;
      },
      pageText(): string {
        return `page ${this.page + 1} of ${this.pages()}`;
      },
      /** What the jobs of a key do now, by the newest state. */
      work(row: KeyRow): KeyWork {
        const { plugins } = pool();
        if (work?.plugins !== plugins) work = { plugins, byCaller: workByCaller(plugins) };
        return work.byCaller.get(callerOf(row)) ?? IDLE;
      },

      details(row: KeyRow): void {
        this.chosen = row;
        this.facts = factsOf(row);
        dialog("key-details").showModal();
      },
      create(): void {
        this.openForm(null, emptyForm());
      },
      edit(row: KeyRow): void {
        this.openForm(row, formOf(row));
      },
      openForm(row: KeyRow | null, form: KeyForm): void {
        before = { ...form };
        openedAt = Date.now();
        Object.assign(this, { chosen: row, form, formProblem: "", isBusy: false });
        dialog("key-form").showModal();
      },
      close(id: string): void {
        dialog(id).close();
      },
      formTitle(): string {
        return this.chosen === null ? "New key" : `Change ${this.chosen.name}`;
      },
      has(field: keyof KeyForm): boolean {
        return hasField(this.form, field);
      },
      async save(): Promise<void> {
        const { chosen, form } = this;
        let fields: object;
        try {
          fields = chosen === null ? toSpec(form, openedAt) : toPatch(form, before, openedAt);
        } catch (error) {
          this.formProblem = messageOf(error);
          return;
        }
        if (chosen === null) return this.send("POST", "/api/keys", fields, "key-form");
        if (Object.keys(fields).length === 0) return dialog("key-form").close();
        return this.send("PATCH", pathOf(chosen), fields, "key-form");
      },
      askRotate(row: KeyRow): void {
        Object.assign(this, { chosen: row, formProblem: "", isBusy: false });
        dialog("key-rotate").showModal();
      },
      async rotate(): Promise<void> {
        const { chosen, overlap } = this;
        if (chosen) await this.send("POST", `${pathOf(chosen)}/rotate`, { overlap }, "key-rotate");
      },
      async send(method: string, path: string, request: object, from: string): Promise<void> {
        const body = JSON.stringify(request);
        if (operation.body !== path + body) operation = { body: path + body, id: randomName() };
        Object.assign(this, { isBusy: true, formProblem: "" });
        try {
          const headers = { "content-type": "application/json", "idempotency-key": operation.id };
          const response = await assertOk(await fetch(path, { method, body, headers }));
          const answer = (await response.json()) as KeyView & { readonly key?: string }; // the server's own
          operation = { body: "", id: "" };
          dialog(from).close();
          if (answer.key !== undefined) this.show(answer.key, answer);
          void this.load();
        } catch (error) {
          // That key cannot be shown again, so the next submission asks for another one.
          if (error instanceof Refusal && error.code === "key_already_shown") operation = { body: "", id: "" };
          const field = error instanceof Refusal ? fieldOf(from, error.param) : null;
          this.formProblem = field === null ? messageOf(error) : byLabel(messageOf(error), field);
          field?.focus();
        } finally {
          this.isBusy = false;
        }
      },
      show(text: string, { name, kind }: KeyView): void {
        Object.assign(this, { shownKey: text, shownName: name, shownKind: kind });
        dialog("key-shown").showModal();
      },
      /** Forgets the key. The page keeps it nowhere else. */
      forget(): void {
        this.shownKey = "";
      },
      /** A command with which the holder of the key can begin. `version` is that of the server. */
      firstStep(version: string): string {
        const { origin } = window.location;
        // The machine that gets the key rarely has the program, so these lines bring it.
        const moorage = `npx -y ${origin}/join/moorage-${version}.tgz`;
        switch (this.shownKind) {
          case "client":
            return `curl -H 'Authorization: Bearer ${this.shownKey}' ${origin}/api/key`;
          case "worker":
            return `SERVER_URL=${origin} CLIENT_KEY=${this.shownKey} ${moorage} worker llm`;
          case "join":
            return `${moorage} worker llm --server ${origin} --join ${this.shownKey}`;
          case "admin":
            return `SERVER_URL=${origin} ADMIN_KEY=${this.shownKey} ${moorage} keys list`;
        }
      },
      /** The viewer's time zone, as a suggestion. */
      zone(): string {
        return Intl.DateTimeFormat().resolvedOptions().timeZone;
      },
    };
  };
}

const EMPTY: readonly KeyRow[] = Object.freeze([]);

function pathOf({ id }: KeyView): string {
  return `/api/keys/${encodeURIComponent(id)}`;
}

/** Makes a name that no other request has. `randomUUID` is missing on pages without TLS. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}
