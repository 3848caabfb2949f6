import type { Clock } from "../../../system/deps.ts";
import { setNewest } from "../../../system/newest.ts";
import { EraProbe } from "../bridge/era.ts";
import type { PeerSource } from "../bridge/peer.ts";
import type { ListedTool, RuleSet } from "../rules.ts";
import type { Facts } from "./facts.ts";
import { exposedName, maybeShortened } from "./names.ts";

/** One MCP server for a hub. */
export interface HubServer extends PeerSource {
  /** Its name in the servers file. */
  readonly key: string;
  /** What the file lets callers use of it; undefined: everything. */
  readonly rules?: RuleSet | undefined;
}

/** The most names that are remembered of one server, beyond those that speak for themselves. */
const MAX_REMEMBERED = 10_000;
/** The pauses before a server that could not be opened is tried again: the first, and the longest. */
const FIRST_PAUSE_MS = 15_000;
const LAST_PAUSE_MS = 5 * 60_000;

/** How long what a list has said about a tool decides whether it may be called. */
const FRESH_MS = 60_000;
/** How long no list is read again to find a name. */
const SEARCHED_MS = 5000;

interface Judgement {
  readonly isAllowed: boolean;
  /** By `Clock.elapsed`. */
  readonly at: number;
}

/** What all sessions of a hub know about one MCP server. */
export class Member {
  readonly server: HubServer;
  /** The beginning of the names of its tools and prompts. */
  readonly prefix: string;
  readonly era: EraProbe;
  /** What it said of itself last; undefined before that. */
  facts: Facts | undefined;
  /** Whether an answer is worth waiting for: it gave the last one in time. */
  isTrusted = true;
  readonly #shortened = new Map<string, string>();
  /** The tools about which only what the server says of them decides. */
  readonly #judged = new Map<string, Judgement>();
  /** When whole lists were read to find a name, by their methods. */
  readonly #searched = new Map<string, number>();
  readonly #clock: Clock;
  #failures = 0;
  #retryAt = 0;
  #failure = "";

  constructor(server: HubServer, prefix: string, clock: Clock) {
    this.server = server;
    this.prefix = prefix;
    this.era = new EraProbe(server.openPeer, clock);
    this.#clock = clock;
  }

  get key(): string {
    return this.server.key;
  }

  /** Why it should not be opened now; undefined if it may be. */
  get refusal(): string | undefined {
    return this.#failures > 0 && this.#clock.elapsed() < this.#retryAt ? this.#failure : undefined;
  }

  /** How long to wait before it may be opened, in milliseconds. */
  get pauseMs(): number {
    return Math.max(0, this.#retryAt - this.#clock.elapsed());
  }

  noteOpened(facts: Facts | undefined): void {
    this.facts = facts ?? this.facts;
    this.#failures = 0;
  }

  /** Notes that it could not be opened. The pauses before the next attempts grow. */
  noteFailed(reason: string): void {
    this.#failure = reason;
    const pauseMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#retryAt = this.#clock.elapsed() + pauseMs;
  }

  /** Returns the name by which clients know its tool or prompt. */
  expose(name: string): string {
    const exposed = exposedName(this.prefix, name);
    if (maybeShortened(exposed)) setNewest(this.#shortened, exposed, name, MAX_REMEMBERED);
    return exposed;
  }

  /**
   * Returns its own name for what clients call `exposed`, whose part after the prefix is `rest`. Each tool has one name only,
   * so that no other spelling evades rules about it. Undefined if the name is not known, or not yet.
   */
  ownName(exposed: string, rest: string): string | undefined {
    const shortened = this.#shortened.get(exposed);
    if (shortened !== undefined) return shortened;
    // Most names of this form were shortened, and then the rest is not the name.
    return exposedName(this.prefix, rest) === exposed && !maybeShortened(exposed) ? rest : undefined;
  }

  /** Whether the file's rules let callers use a tool. Undefined if that depends on a list of tools that has not come yet. */
  allowsTool(name: string): boolean | undefined {
    const { rules } = this.server;
    if (!rules) return true;
    const judged = this.#judged.get(name);
    const isFresh = judged !== undefined && this.#clock.elapsed() - judged.at < FRESH_MS;
    return rules.toolNamed(name) ?? (isFresh ? judged.isAllowed : undefined);
  }

  /** Notes a tool that it lists. Returns whether callers may use it. */
  judge(tool: ListedTool): boolean {
    const { rules } = this.server;
    if (!rules) return true;
    const isAllowed = rules.tool(tool);
    if (rules.toolNamed(tool.name) === undefined)
      setNewest(this.#judged, tool.name, { isAllowed, at: this.#clock.elapsed() }, MAX_REMEMBERED);
    return isAllowed;
  }

  /** Notes that a whole list was read for a name, so that calls of names that do not exist cause few requests. */
  noteSearched(method: string): void {
    this.#searched.set(method, this.#clock.elapsed());
  }

  /** Whether a whole list was read for a name a moment ago. */
  wasSearched(method: string): boolean {
    const at = this.#searched.get(method);
    return at !== undefined && this.#clock.elapsed() - at < SEARCHED_MS;
  }
}
