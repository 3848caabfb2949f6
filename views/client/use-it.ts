import { messageOf } from "./answers.ts";
import { type MadeKey, makeKey } from "./made-key.ts";
import { isEmbedding, type ModelRow } from "./model-kinds.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import type { Use, UseBlock, UseLines } from "./use-facts.ts";
import { keyLines, useLines } from "./use-lines.ts";

/** A model that a program can use. */
interface UsableModel {
  readonly name: string;
  readonly use: Use;
  /** `busy`, `ready`: whether it is free now, for people. */
  readonly state: string;
}

const DAY_MS = 86_400_000;
/** What stands for a model in the lines while there is none. */
const SOME_MODEL = "your-model";

/** The page that shows how programs use this server: `x-data="useIt"`. */
export function createUseIt(pool: () => PoolStore, route: () => RouteStore) {
  return () => ({
    origin: location.origin,
    hasKeys: document.body.dataset["keys"] !== "none",
    keyName: "",
    keyModels: "all",
    keyDays: "90",
    key: null as MadeKey | null,
    isMaking: false,
    isKeyShown: false,
    problem: "",

    init(): void {
      const { origin } = (this as unknown as { readonly $root: HTMLElement }).$root.dataset; // Alpine adds it
      this.origin = origin || location.origin;
    },
    models(): readonly UsableModel[] {
      const { llm, asr } = pool().plugins;
      const spoken = rowsOf(asr).map((row) => usable(row, "speech"));
      const rows = rowsOf(llm);
      return [...rows.map((row) => usable(row, isEmbedding(row.name, rows) ? "embedding" : "chat")), ...spoken];
    },
    /** The model in the address, else the first that answers chats. */
    model(): string {
      const wanted = route().query["model"];
      if (wanted !== undefined) return wanted;
      const models = this.models();
      return (models.find(({ use }) => use === "chat") ?? models[0])?.name ?? "";
    },
    chosen(): UsableModel | undefined {
      return this.models().find(({ name }) => name === this.model());
    },
    /** Whether the address names a model that nobody serves now. */
    isMissing(): boolean {
      return this.model() !== "" && this.chosen() === undefined && pool().tick > 0;
    },
    programs(): readonly UseLines[] {
      const { origin, hasKeys } = this;
      return useLines({ origin, hasKeys, model: this.model() || SOME_MODEL, use: this.chosen()?.use ?? "chat" });
    },
    /** The program whose lines are shown. */
    program(): UseLines | undefined {
      const all = this.programs();
      return all.find(({ id }) => id === route().query["program"]) ?? all[0];
    },
    show(id: string): void {
      route().set({ program: id });
    },
    chooseModel(name: string): void {
      route().set({ model: name });
    },
    baseUrl(): string {
      return `${this.origin}/v1`;
    },
    keyLines(): readonly UseBlock[] {
      return keyLines(this.key?.text);
    },
    async makeKey(): Promise<void> {
      Object.assign(this, { isMaking: true, problem: "" });
      try {
        const name = this.keyName.trim() || `Made on “Use it”, ${new Date(pool().now).toISOString().slice(0, 10)}`;
        this.key = Object.freeze(
          await makeKey({
            kind: "client",
            name,
            ...(this.keyModels === "this" && { models: [this.model()] }),
            ...(this.keyDays !== "" && {
              expires_at: new Date(pool().now + Number(this.keyDays) * DAY_MS).toISOString(),
            }),
          }),
        );
        document.dispatchEvent(new Event("keyschange"));
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        this.isMaking = false;
      }
    },
    /** Forgets the key once the viewer has left. */
    follow(): void {
      if (!route().is("use")) this.key = null;
    },
  });
}

interface LiveModel extends ModelRow {
  readonly slots_free?: number;
}

function rowsOf(plugin: Readonly<Record<string, unknown>> | undefined): readonly LiveModel[] {
  return (plugin?.["models"] ?? []) as readonly LiveModel[]; // the server's own; the OpenAPI document describes it
}

function usable({ name, slots_free: free = 0 }: LiveModel, use: Use): UsableModel {
  return { name, use, state: free > 0 ? "" : "busy" };
}
