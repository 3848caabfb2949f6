import * as v from "valibot";
import { NO_PEERS, type PeerReadings } from "../../../plugin/peer-readings.ts";
import { MAX_TEXT_CHARS } from "../../../wire/names.ts";
import { brokenReason } from "../relay-health.ts";
import type { Relay, Relays } from "../relays.ts";

/** What a server knows of a relay that is connected to it, apart from its counts. Servers send it to each other as JSON. */
const factsSchema = v.object({
  id: v.string(),
  /** What its owner calls it. */
  name: v.string(),
  /** `http`, `sse` or `stdio`; absent for a relay that does not say. */
  upstream: v.optional(v.string()),
  /** Who may call: see `Access` of the worker. Absent for a relay that does not say. */
  access: v.optional(v.string()),
  /** Whether it can restrict callers to some tools. */
  restricts: v.boolean(),
  /** The only tenants whose callers it serves, where this server finds out who calls; absent for all of them. */
  tenants: v.optional(v.array(v.string())),
  /** Whether it speaks the dialect of this version. */
  isNative: v.boolean(),
  version: v.optional(v.string()),
  connectedAt: v.number(),
  isDrained: v.boolean(),
  /** Why its MCP server does not work; absent while it does, as far as is known. */
  broken: v.optional(v.pipe(v.string(), v.maxLength(4 * MAX_TEXT_CHARS))),
});

export type RelayFacts = v.InferOutput<typeof factsSchema>;

/** A relay with the server to which it is connected; the empty text for a server that is the only one. */
export interface RelayOfServer {
  readonly server: string;
  readonly facts: RelayFacts;
}

export function toRelayFacts(relay: Relay): RelayFacts {
  const { session, isDrained } = relay;
  const { worker, connectedAt, dialect, offer } = session;
  const { upstream, auth, restricts } = worker.hostInfo;
  const broken = brokenReason(relay)?.slice(0, MAX_TEXT_CHARS);
  return {
    id: worker.id,
    name: worker.name,
    ...(upstream === undefined ? {} : { upstream }),
    ...(auth === undefined ? {} : { access: auth }),
    restricts: restricts === "true",
    ...(offer.tenants === undefined ? {} : { tenants: [...offer.tenants] }),
    isNative: dialect === "native",
    ...(worker.version === undefined ? {} : { version: worker.version }),
    connectedAt,
    isDrained,
    ...(broken === undefined ? {} : { broken }),
  };
}

const RELAYS = "mcp_relays";

type OwnRelays = Pick<Relays, "all" | "own">;

/** The relays of all servers of a cluster. */
export class AllRelays {
  readonly #relays: OwnRelays;
  readonly #readings: PeerReadings | undefined;

  /** `readings` are the other servers; undefined for a server that is the only one. */
  constructor(relays: OwnRelays, readings: PeerReadings | undefined) {
    this.#relays = relays;
    this.#readings = readings;
    readings?.answer(RELAYS, () => [...relays.all()].map((relay) => JSON.stringify(toRelayFacts(relay))));
  }

  /** Returns the relay of this id on this server. */
  own(id: string): RelayOfServer | undefined {
    const relay = this.#relays.own(id);
    return relay && { server: this.#serverId, facts: toRelayFacts(relay) };
  }

  get #serverId(): string {
    return this.#readings?.serverId ?? "";
  }

  /** Resolves to all relays by name, and to the ids of the servers that have not told theirs. */
  async read(): Promise<{ readonly relays: readonly RelayOfServer[]; readonly missing: readonly string[] }> {
    const { answers, missing } = (await this.#readings?.ask(RELAYS, {})) ?? NO_PEERS;
    const server = this.#serverId;
    const relays: RelayOfServer[] = [...this.#relays.all()].map((relay) => ({ server, facts: toRelayFacts(relay) }));
    const ids = new Set(relays.map(({ facts }) => facts.id));
    for (const [peer, lines] of answers) {
      for (const line of lines) {
        const read = v.safeParse(factsSchema, line);
        // A relay that has just moved may be told twice. Calls go to the one that is here.
        if (!read.success || ids.has(read.output.id)) continue;
        ids.add(read.output.id);
        relays.push({ server: peer, facts: read.output });
      }
    }
    return { relays: relays.sort(byName), missing };
  }
}

function byName({ facts: a }: RelayOfServer, { facts: b }: RelayOfServer): number {
  return a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}
