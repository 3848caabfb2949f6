import type { Affinity, AffinitySource, WarmSession } from "../pool/routing/affinity.ts";
import type { Chain } from "./chain-builder.ts";
import type { HitRates } from "./hit-rates.ts";
import { type PrefixTable, SESSIONS_PER_HASH } from "./prefix-table.ts";
import type { SessionRefs } from "./session-refs.ts";

/** The memory that all requests share. */
export interface AffinityMemory {
  readonly table: PrefixTable;
  readonly refs: SessionRefs;
  readonly rates: HitRates;
  /** `Clock.elapsed`. */
  readonly elapsed: () => number;
  /** Is told what is new here, for other servers; absent without any. */
  readonly tell?: ((sessionId: string, hashes: readonly bigint[]) => void) | undefined;
}

/** What a request is recognized by. */
export interface Traces {
  /** The client's own key, as a hash. */
  readonly key: { readonly source: AffinitySource; readonly hash: bigint } | undefined;
  readonly chain: Chain | undefined;
}

/**
 * The part of its prompt that a worker is taken to have because the client says that the request belongs to an earlier one,
 * although the prompts do not begin alike: the client may have changed the beginning. An earlier request counts for less.
 */
const KEY_SHARE = 0.5;
/**
 * A smaller part of a prompt than this saves less than it costs to go to a worker that is busier. Requests that have only a
 * short system prompt in common are told apart from those of one conversation by it.
 */
const MIN_SHARE = 0.1;
/** The most workers that are considered. */
const MAX_WARM = 16;

/** What one request knows of the workers that may have its prompt, and what they learn from it. */
export class RequestAffinity implements Affinity {
  readonly #memory: AffinityMemory;
  readonly #traces: Traces;
  /** The part of the prompt that the worker which got the request last was expected to have. */
  #predictedShare = 0;

  constructor(memory: AffinityMemory, traces: Traces) {
    this.#memory = memory;
    this.#traces = traces;
  }

  /** The part of the prompt, from 0 to 1, that the worker which got the request was expected to have. */
  get predictedShare(): number {
    return this.#predictedShare;
  }

  candidates(model: string): readonly WarmSession[] {
    const { refs, rates } = this.#memory;
    const now = this.#memory.elapsed();
    const shares = this.#shares(now);
    const sources = this.#addKey(shares, now);
    const warm: WarmSession[] = [];
    for (const [ref, share] of shares) {
      const sessionId = refs.idOf(ref);
      if (sessionId === undefined || rates.isCold(sessionId, model, now)) continue;
      warm.push({ sessionId, share, source: sources?.get(ref) ?? "prefix" });
    }
    // Sorting keeps the order of equals: those with the client's key first, and the newest first.
    return warm.length > 1 ? warm.sort((a, b) => b.share - a.share) : warm;
  }

  /** Learns that a session gets the request now, and will have its prompt. */
  sent(sessionId: string): void {
    const { table, refs, tell } = this.#memory;
    const { key, chain } = this.#traces;
    const now = this.#memory.elapsed();
    const ref = refs.use(sessionId, now);
    this.#predictedShare = this.#shares(now).get(ref) ?? 0;
    const news: bigint[] = [];
    if (key && table.learn(key.hash, ref, now)) news.push(key.hash);
    // The longest beginning comes last, because a full table forgets what it was taught first.
    for (const hash of chain?.hashes ?? []) if (table.learn(hash, ref, now)) news.push(hash);
    if (tell && news.length > 0) tell(sessionId, news);
  }

  /** The longest part of the prompt that each session has met, the longest and newest first. */
  #shares(now: number): Map<number, number> {
    const shares = new Map<number, number>();
    const { chain } = this.#traces;
    if (!chain) return shares;
    const found = new Uint32Array(SESSIONS_PER_HASH);
    for (let at = chain.hashes.length - 1; at >= 0 && shares.size < MAX_WARM; at -= 1) {
      const share = Math.min(1, (chain.ends[at] ?? 0) / chain.size);
      // All further ones are shorter.
      if (share < MIN_SHARE) break;
      const count = this.#memory.table.find(chain.hashes[at] ?? 0n, now, found);
      for (let each = 0; each < count; each += 1) {
        const ref = found[each] ?? 0;
        if (!shares.has(ref)) shares.set(ref, share);
      }
    }
    return shares;
  }

  /** Adds the sessions that have met the client's key, and returns them with its source. */
  #addKey(shares: Map<number, number>, now: number): ReadonlyMap<number, AffinitySource> | undefined {
    const { key } = this.#traces;
    if (!key) return undefined;
    const found = new Uint32Array(SESSIONS_PER_HASH);
    const count = this.#memory.table.find(key.hash, now, found);
    if (count === 0) return undefined;
    const sources = new Map<number, AffinitySource>();
    const others = new Map(shares);
    shares.clear();
    for (let at = 0; at < count; at += 1) {
      const ref = found[at] ?? 0;
      shares.set(ref, Math.max(others.get(ref) ?? 0, KEY_SHARE / (at + 1)));
      sources.set(ref, key.source);
    }
    for (const [ref, share] of others) if (!sources.has(ref)) shares.set(ref, share);
    return sources;
  }
}
