import { ANONYMOUS } from "../../../auth/caller.ts";
import { Fault } from "../../../errors.ts";
import type { Visit } from "../../../http/visit.ts";
import type { KeyHolder } from "../../../plugin/contract.ts";
import type { PeerReadings } from "../../../plugin/peer-readings.ts";
import { cleanText } from "../../../wire/clean-text.ts";
import { type McpPorts, toPeerRequest } from "../call.ts";
import { publicUrlOf } from "../resource.ts";
import type { RpcFacts } from "../rpc-facts.ts";
import { askInventory, inventoryRequest, OLD_WORKER } from "./ask-inventory.ts";
import { readyLines } from "./ready-lines.ts";
import { AllRelays, type RelayFacts, type RelayOfServer } from "./relay-facts.ts";
import { shownInventory } from "./shown-inventory.ts";
import { connectorOf, type View, type Viewer, type ViewersAuth, viewOf } from "./viewers.ts";

export interface CatalogOptions {
  readonly ports: Pick<McpPorts, "area" | "names" | "deps">;
  readonly auth: ViewersAuth;
  readonly readings: PeerReadings | undefined;
  readonly keyHolders: (() => readonly KeyHolder[]) | undefined;
}

/** Where the catalogue goes on after a page. */
export interface PageQuery {
  readonly limit: number;
  /** The id of the last relay of the page before; undefined for the first page. */
  readonly after: string | undefined;
}

/** The most inventories that are read at once. Each may have some MiB. */
const MAX_ASKING = 16;
/** The most keys that are named for one relay. */
const MAX_KEYS = 100;
const FACTS: RpcFacts = {
  id: undefined,
  label: "other",
  functionName: undefined,
  target: undefined,
  isCertain: true,
  isCall: false,
  isStream: false,
};

/** What the relays of all servers offer, to whom, and how to use them. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #relays: AllRelays;
  /** The callers on whose behalf relays are being asked; undefined for an operator. */
  readonly #asking: (string | undefined)[] = [];

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#relays = new AllRelays(options.ports.area.relays, options.readings);
  }

  /** Lists what a viewer may see, without what their MCP servers offer. */
  async list(visit: Visit, viewer: Viewer, { limit, after }: PageQuery): Promise<object> {
    const { relays, missing } = await this.#relays.read();
    const seen = relays.filter(({ facts }) => viewOf(this.#options.auth, viewer, facts).kind !== "nothing");
    const start = after === undefined ? 0 : seen.findIndex(({ facts }) => facts.id === after) + 1;
    const page = seen.slice(start, start + limit);
    const hasMore = seen.length > start + limit;
    const holders = this.#holdersFor(viewer, page);
    return {
      data: page.map((relay) => this.#shown(visit, viewer, relay, holders)),
      has_more: hasMore,
      next: hasMore ? (page.at(-1)?.facts.id ?? null) : null,
      missing_servers: viewer.kind === "operator" ? missing : [],
    };
  }

  /** Shows one relay, with what its MCP server offers. Rejects with `relay_unavailable` for one that the viewer may not see. */
  async show(visit: Visit, viewer: Viewer, relayId: string): Promise<object> {
    const relay =
      this.#relays.own(relayId) ?? (await this.#relays.read()).relays.find(({ facts }) => facts.id === relayId);
    const view = relay && viewOf(this.#options.auth, viewer, relay.facts);
    if (!relay || !view || view.kind === "nothing") throw new Fault("relay_unavailable");
    const inventory = await this.#inventory(visit, relay, viewer, view);
    const holders = this.#holdersFor(viewer, [relay]);
    return { ...this.#shown(visit, viewer, relay, holders), inventory };
  }

  #shown(visit: Visit, viewer: Viewer, { server, facts }: RelayOfServer, holders: readonly KeyHolder[]): object {
    const { id, name, access, broken } = facts;
    const url = publicUrlOf(this.#options.ports.names, id, visit, "/mcp") ?? null;
    const isOperator = viewer.kind === "operator";
    return {
      id,
      name: cleanText(name),
      url,
      access: access ?? null,
      status: facts.isDrained ? "drained" : broken === undefined ? "ready" : "broken",
      status_reason: broken !== undefined && isOperator ? cleanText(broken) : null,
      ready_lines: url === null ? [] : readyLines({ id, url, access }),
      ...(isOperator ? this.#forOperators(server, facts, holders) : {}),
    };
  }

  #forOperators(server: string, facts: RelayFacts, holders: readonly KeyHolder[]): object {
    const { upstream, version, restricts, connectedAt, tenants } = facts;
    const keys = this.#keysAt(facts, holders);
    return {
      server: server === "" ? null : server,
      upstream: upstream ?? null,
      version: version === undefined ? null : cleanText(version),
      restricts,
      connected_at: new Date(connectedAt).toISOString(),
      tenants: tenants ?? null,
      keys: keys.slice(0, MAX_KEYS).map(({ id, name, caller }) => ({
        id,
        name: cleanText(name),
        rules: caller.relays?.rules ?? null,
      })),
      keys_total: keys.length,
    };
  }

  /** Returns the holders of keys, once for an answer, because it takes long with many keys; none where no relay shows any. */
  #holdersFor(viewer: Viewer, relays: readonly RelayOfServer[]): readonly KeyHolder[] {
    const isShown = viewer.kind === "operator" && relays.some(({ facts }) => connectorOf(facts));
    return isShown ? (this.#options.keyHolders?.() ?? []) : [];
  }

  #keysAt(facts: RelayFacts, holders: readonly KeyHolder[]): readonly KeyHolder[] {
    const { auth } = this.#options;
    const relay = connectorOf(facts);
    if (!relay) return [];
    return holders.filter(({ caller }) => auth.connectors.accessAt(caller, relay).kind === "allowed");
  }

  async #inventory(visit: Visit, { facts }: RelayOfServer, viewer: Viewer, view: View): Promise<object> {
    const { area, deps } = this.#options.ports;
    if (facts.access === "oauth") return shownInventory({ kind: "untold", why: SIGN_IN });
    if (!facts.isNative) return shownInventory({ kind: "untold", why: OLD_WORKER });
    const own = area.relays.sessionOf(facts.id);
    const remote = own ? undefined : area.relays.remote(facts.id);
    const session = own ?? remote?.session;
    if (!session) throw new Fault("relay_unavailable", { retryAfterS: 1 });
    const { requestId } = visit;
    const caller = viewer.kind === "client" ? viewer.caller : ANONYMOUS;
    const request = inventoryRequest(requestId, view.kind === "own" ? view.as : undefined);
    const sent = remote ? toPeerRequest(request, facts.id, { requestId, caller, facts: FACTS }) : request;
    const leave = this.#enter(viewer);
    try {
      // The place is taken until the answer is cleaned, which may take long.
      return shownInventory(await askInventory(session, sent, deps.clock, visit.request.signal));
    } finally {
      leave();
    }
  }

  /** Takes a place among those who wait for a relay, until the returned function is called. Throws `too_many_calls`. */
  #enter(viewer: Viewer): () => void {
    // Each key has one place, and some are left for operators: a relay may take long.
    const who = viewer.kind === "operator" ? undefined : viewer.caller.name;
    const isFull = who === undefined ? this.#asking.length >= MAX_ASKING : this.#asking.length >= MAX_ASKING / 2;
    if (isFull || (who !== undefined && this.#asking.includes(who)))
      throw new Fault("too_many_calls", { message: TOO_MANY, retryAfterS: 1 });
    this.#asking.push(who);
    return () => void this.#asking.splice(this.#asking.indexOf(who), 1);
  }
}

const SIGN_IN = "Callers sign in to this MCP server itself, so only they see what it offers.";
const TOO_MANY = "Too many relays are being asked for their tools. Try again shortly.";
