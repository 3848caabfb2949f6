import { assertOk, messageOf } from "./answers.ts";
import { duration, plural } from "./format.ts";

/** One relay of the list, and the rest of it after it was opened. The OpenAPI document describes both. */
export interface CatalogRelay {
  readonly id: string;
  readonly name: string;
  readonly url: string | null;
  readonly access: string | null;
  readonly status: "ready" | "broken" | "drained";
  readonly status_reason: string | null;
  readonly server: string | null;
  readonly upstream: string | null;
  readonly keys: readonly { readonly id: string; readonly name: string; readonly rules: object | null }[];
  readonly keys_total: number;
  readonly ready_lines: readonly ReadyLine[];
  readonly inventory?: Inventory;
}

interface ReadyLine {
  readonly client: string;
  readonly title: string;
  readonly place: string;
  readonly text: string | null;
  readonly note: string | null;
}

interface Inventory {
  readonly told: boolean;
  readonly why: string | null;
  readonly is_cut: boolean;
  readonly tools: readonly CatalogTool[];
  readonly prompts: readonly { readonly name: string }[];
  readonly resources: readonly { readonly uri: string }[];
  readonly resource_templates: readonly { readonly uriTemplate: string }[];
}

interface CatalogTool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: object;
  readonly annotations?: { readonly readOnlyHint?: boolean; readonly destructiveHint?: boolean };
}

interface CatalogPage {
  readonly data: readonly CatalogRelay[];
  readonly next: string | null;
  readonly missing_servers: readonly string[];
}

/** The most relays that the page lists. */
const MAX_RELAYS = 1000;
/** The most tools of one relay that are shown at once. A filter finds the others. */
const MAX_TOOLS = 200;

/** The longest line about a tool, in characters. The rest is below it. */
const MAX_ABOUT = 100;

const WHO: Readonly<Record<string, string>> = {
  none: "Everybody who knows its URL.",
  token: "Callers with its token.",
  oauth: "Callers who sign in to the MCP server itself.",
  connector: "Callers who sign in to this server, or have one of its keys.",
};

/** A function that was called, as the State API counts it. */
export interface CalledFunction {
  readonly relay: string;
  readonly name: string;
  readonly calls: number;
  readonly failures: number;
  readonly avg_ms: number | null;
}

export interface CatalogTools {
  /** The functions that were called. */
  readonly functions?: () => readonly CalledFunction[];
  /** Where the page was loaded from. */
  readonly origin?: string;
}

/** The relays of all servers, with what they offer and how to use them. `url` is where this server lists them. */
export function createCatalog(url: string, { functions = () => [], origin = "" }: CatalogTools = {}) {
  /** The ids of the relays that are open. */
  const opened = new Set<string>();
  return {
    relays: [] as readonly CatalogRelay[],
    missing: [] as readonly string[],
    /** Whether there are more relays than the page lists. */
    hasMore: false,
    hasLoaded: false,
    isLoading: false,
    problem: "",
    filter: "",
    client: "claude-code",
    /** Why single relays could not be opened, by their ids. */
    problems: {} as Record<string, string>,
    /** Loads the list when the part is first shown. */
    async open(): Promise<void> {
      if (!this.hasLoaded && !this.isLoading) await this.load();
    },
    async load(): Promise<void> {
      Object.assign(this, { isLoading: true, problem: "" });
      try {
        const page = await read<CatalogPage>(`${url}?limit=${MAX_RELAYS}`);
        Object.assign(this, {
          relays: Object.freeze(page.data),
          missing: page.missing_servers,
          hasMore: page.next !== null,
          problems: {},
        });
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        // After a failure only the button asks again.
        Object.assign(this, { isLoading: false, hasLoaded: true });
      }
      // The elements of open relays stay open, so they do not ask again themselves. The server asks only a few relays at once.
      for (const relay of this.relays) if (opened.has(relay.id)) await this.show(relay, true);
    },
    /** Loads what a relay offers, when it is opened. */
    async show(relay: CatalogRelay, isOpen: boolean): Promise<void> {
      if (isOpen) opened.add(relay.id);
      else opened.delete(relay.id);
      if (!isOpen || relay.inventory) return;
      this.problems = { ...this.problems, [relay.id]: "" };
      try {
        const whole = await read<CatalogRelay>(`${url}/${encodeURIComponent(relay.id)}`);
        this.relays = Object.freeze(this.relays.map((each) => (each.id === relay.id ? whole : each)));
      } catch (error) {
        this.problems = { ...this.problems, [relay.id]: messageOf(error) };
      }
    },
    shown(): readonly CatalogRelay[] {
      const wanted = this.filter.trim().toLowerCase();
      if (wanted === "") return this.relays;
      return this.relays.filter((relay) => hasText(relay, wanted) || toolsWith(relay, wanted).length > 0);
    },
    /** The tools of a relay that fit the filter; all of them where the filter fits the relay itself. */
    tools(relay: CatalogRelay): readonly CatalogTool[] {
      const wanted = this.filter.trim().toLowerCase();
      const all = relay.inventory?.tools ?? [];
      return (wanted === "" || hasText(relay, wanted) ? all : toolsWith(relay, wanted)).slice(0, MAX_TOOLS);
    },
    count(relay: CatalogRelay): string {
      const { inventory } = relay;
      if (!inventory?.told) return "";
      const shown = this.tools(relay).length;
      const all = inventory.tools.length;
      const tools = shown < all ? `${shown} of ${all} tools` : `${all} ${all === 1 ? "tool" : "tools"}`;
      return inventory.is_cut ? `${tools}, of a list that is not complete` : tools;
    },
    /** Prompts and resources by their names. */
    others(relay: CatalogRelay): readonly { readonly label: string; readonly names: string }[] {
      const { prompts = [], resources = [], resource_templates: templates = [] } = relay.inventory ?? {};
      return [
        { label: "Prompts", names: prompts.map(({ name }) => name) },
        { label: "Resources", names: resources.map(({ uri }) => uri) },
        { label: "Resource templates", names: templates.map(({ uriTemplate }) => uriTemplate) },
      ]
        .filter(({ names }) => names.length > 0)
        .map(({ label, names }) => ({ label, names: names.slice(0, MAX_TOOLS).join(", ") }));
    },
    /** What a tool is for, in a line. */
    about({ title = "", description = "" }: CatalogTool): string {
      const [first = ""] = (title || description).trim().split("\n");
      return first.length > MAX_ABOUT ? `${first.slice(0, MAX_ABOUT)}…` : first;
    },
    hint(tool: CatalogTool): string {
      if (tool.annotations?.readOnlyHint === true) return "read-only";
      return tool.annotations?.destructiveHint === true ? "destructive" : "";
    },
    /** The relay's URL. The server knows none if it has not been told its own name. */
    address: (relay: CatalogRelay): string => relay.url ?? `${origin}/api/mcp/id/${encodeURIComponent(relay.id)}/mcp`,
    /** How often a tool was called, and how that went. */
    work(relay: CatalogRelay, tool: CatalogTool): string {
      const called = functions().find(({ relay: id, name }) => id === relay.id && name === tool.name);
      if (called === undefined) return "";
      const failed = called.failures === 0 ? "" : `, ${called.failures} failed`;
      const mean = called.avg_ms === null ? "" : `, avg ${duration(called.avg_ms)}`;
      return `${plural(called.calls, "call")}${failed}${mean}`;
    },
    schema: (tool: CatalogTool): string => JSON.stringify(tool.inputSchema ?? {}, null, 2),
    who: (relay: CatalogRelay): string => WHO[relay.access ?? ""] ?? "The relay does not say.",
    keys(relay: CatalogRelay): string {
      if (relay.access !== "connector") return "";
      const names = relay.keys.map(({ name, rules }) => (rules === null ? name : `${name} (restricted)`));
      const more = relay.keys_total - relay.keys.length;
      if (names.length === 0) return "No key that was made here may call it.";
      return `Keys: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}.`;
    },
    line(relay: CatalogRelay): ReadyLine | undefined {
      return relay.ready_lines.find(({ client }) => client === this.client);
    },
  };
}

function hasText({ id, name }: CatalogRelay, wanted: string): boolean {
  return `${id}\n${name}`.toLowerCase().includes(wanted);
}

function toolsWith({ inventory }: CatalogRelay, wanted: string): readonly CatalogTool[] {
  return (inventory?.tools ?? []).filter(({ name, title = "", description = "" }) =>
    `${name}\n${title}\n${description}`.toLowerCase().includes(wanted),
  );
}

/** Reads an answer of this server, whose form the OpenAPI document describes. */
export async function read<T>(path: string): Promise<T> {
  const response = await assertOk(await fetch(path));
  return (await response.json()) as T; // as above
}
