import { ANONYMOUS } from "../../../auth/caller.ts";
import { Fault } from "../../../errors.ts";
import type { Visit } from "../../../http/visit.ts";
import type { KeyHolder } from "../../../plugin/contract.ts";
import type { PeerReadings } from "../../../plugin/peer-readings.ts";
import { cleanText } from "../../../wire/clean-text.ts";
import type { McpCaller } from "../../../wire/mcp-call.ts";
import { type McpPorts, toPeerRequest } from "../call.ts";
import { publicUrlOf } from "../resource.ts";
import type { RpcFacts } from "../rpc-facts.ts";
import { askInventory, inventoryRequest, OLD_WORKER, type Told } from "./ask-inventory.ts";
import { readyLines } from "./ready-lines.ts";
import { AllRelays, type RelayFacts, type RelayOfServer } from "./relay-facts.ts";
import { shownInventory } from "./shown-inventory.ts";
import { connectorOf, type Viewer, type ViewersAuth, viewOf } from "./viewers.ts";

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
  #asking = 0;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#relays = new AllRelays(() => options.ports.area.relays.all(), options.readings);
  }

  /** Lists what a viewer may see, without what their MCP servers offer. */
  async list(visit: Visit, viewer: Viewer, { limit, after }: PageQuery): Promise<object> {
    const { relays, missing } = await this.#relays.read();
    const seen = relays.filter(({ facts }) => viewOf(this.#options.auth, viewer, facts).kind !== "nothing");
    const start = after === undefined ? 0 : seen.findIndex(({ facts }) => facts.id === after) + 1;
    const page = seen.slice(start, start + limit);
    const hasMore = seen.length > start + limit;
    return {
      data: page.map((relay) => this.#shown(visit, viewer, relay)),
      has_more: hasMore,
      next: hasMore ? (page.at(-1)?.facts.id ?? null) : null,
      missing_servers: viewer.kind === "operator" ? missing : [],
    };
  }

  /** Shows one relay, with what its MCP server offers. Rejects with `relay_unavailable` for one that the viewer may not see. */
  async show(visit: Visit, viewer: Viewer, relayId: string): Promise<object> {
    const { relays } = await this.#relays.read();
    const relay = relays.find(({ facts }) => facts.id === relayId);
    const view = relay && viewOf(this.#options.auth, viewer, relay.facts);
    if (!relay || !view || view.kind === "nothing") throw new Fault("relay_unavailable");
    const told = await this.#ask(visit, relay, view.kind === "own" ? view.as : undefined);
    return { ...this.#shown(visit, viewer, relay), inventory: shownInventory(told) };
  }

  #shown(visit: Visit, viewer: Viewer, { server, facts }: RelayOfServer): object {
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
      ...(isOperator ? this.#forOperators(server, facts) : {}),
    };
  }

  #forOperators(server: string, facts: RelayFacts): object {
    const { upstream, version, restricts, connectedAt, tenants } = facts;
    const keys = facts.access === "connector" ? this.#keysAt(facts) : [];
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

  #keysAt(facts: RelayFacts): readonly KeyHolder[] {
    const { auth, keyHolders } = this.#options;
    const relay = connectorOf(facts);
    return (keyHolders?.() ?? []).filter(({ caller }) => auth.connectors.accessAt(caller, relay).kind === "allowed");
  }

  async #ask(visit: Visit, { facts }: RelayOfServer, as: McpCaller | undefined): Promise<Told> {
    const { ports } = this.#options;
    const { area, deps } = ports;
    if (facts.access === "oauth") return { kind: "untold", why: SIGN_IN };
    if (!facts.isNative) return { kind: "untold", why: OLD_WORKER };
    if (this.#asking >= MAX_ASKING) throw new Fault("too_many_calls", { message: TOO_MANY, retryAfterS: 1 });
    const request = inventoryRequest(visit.requestId, as);
    const own = area.relays.sessionOf(facts.id);
    const remote = own ? undefined : area.relays.remote(facts.id);
    const session = own ?? remote?.session;
    if (!session) throw new Fault("relay_unavailable", { retryAfterS: 1 });
    const order = { requestId: visit.requestId, caller: ANONYMOUS, facts: FACTS };
    this.#asking += 1;
    try {
      return await askInventory(session, remote ? toPeerRequest(request, facts.id, order) : request, deps.clock);
    } finally {
      this.#asking -= 1;
    }
  }
}

const SIGN_IN = "Callers sign in to this MCP server itself, so only they see what it offers.";
const TOO_MANY = "Too many relays are being asked for their tools. Try again shortly.";
