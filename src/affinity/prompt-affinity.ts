import { chainOf, hasPrompt } from "./chain.ts";
import { clientKeyOf } from "./client-key.ts";
import { type ColdWorker, HitRates } from "./hit-rates.ts";
import { PrefixTable } from "./prefix-table.ts";
import { type AffinityMemory, RequestAffinity } from "./request-affinity.ts";
import { ResponseHomes } from "./response-homes.ts";
import { Seeds } from "./seeds.ts";
import { SessionRefs } from "./session-refs.ts";

/** The hashes that are remembered, in 3 MB. A request adds about 20 at first and two with each further turn. */
const MAX_HASHES = 50_000;
/** How long a worker is taken to have a prompt that it was not sent again. */
const KEEP_MS = 10 * 60_000;

/** One request, as far as its worker can be found by it. */
export interface PromptRequest {
  readonly tenant: string;
  /** The name of the caller. */
  readonly caller: string;
  readonly model: string;
  /** Relative to the API's base: `/chat/completions`. */
  readonly path: string;
  readonly headers: Headers;
  /** The parsed body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The tokens of an answer, as it states them. */
export interface StatedTokens {
  readonly input_tokens?: number | undefined;
  readonly cached_tokens?: number | undefined;
}

/** The worker that served a request. */
export interface ServedBy {
  readonly worker: { readonly id: string };
  readonly sessionId: string;
  readonly model: string;
}

/**
 * What the servers of a cluster tell each other about prompts and responses: hashes and ids. The hashes mean something only
 * to servers with the same secret.
 */
export interface AffinityExchange {
  /** Tells the other servers that a session was sent a prompt with these hashes. */
  tellPrompt(sessionId: string, hashes: readonly bigint[]): void;
  /** Tells the other servers that a worker has a response. */
  tellResponse(key: string, workerId: string): void;
  /** Sets the receiver of what other servers tell. Called once. */
  onTold(listener: Pick<AffinityExchange, "tellPrompt" | "tellResponse">): void;
}

/** What is known as a whole, for metrics and the dashboard. */
export interface AffinityFacts {
  readonly hashes: number;
  readonly maxHashes: number;
  readonly responses: number;
  readonly cold: readonly ColdWorker[];
  readonly models: HitRates["models"];
}

/**
 * The memory of which worker was sent which prompt, so that requests that begin alike can be sent where a backend has the
 * beginning in its cache. It holds hashes and ids of sessions, never a part of a prompt.
 */
export class PromptAffinity {
  readonly #elapsed: () => number;
  readonly #secret: () => string;
  #seeded: { readonly secret: string; readonly seeds: Seeds } | undefined;
  readonly #table = new PrefixTable(MAX_HASHES, KEEP_MS);
  readonly #refs = new SessionRefs(KEEP_MS);
  readonly #rates = new HitRates();
  readonly #responses = new ResponseHomes();
  readonly #exchange: AffinityExchange | undefined;
  readonly #memory: AffinityMemory;

  /**
   * `elapsed` is `Clock.elapsed`. The secret MUST hold at least 64 random bits that nobody else knows, apart from the servers
   * behind `exchange`, which have the same one. Everything that was learned under another secret is useless.
   */
  constructor(elapsed: () => number, secret: () => string, exchange?: AffinityExchange) {
    this.#elapsed = elapsed;
    this.#secret = secret;
    this.#exchange = exchange;
    this.#memory = {
      table: this.#table,
      refs: this.#refs,
      rates: this.#rates,
      elapsed,
      tell: exchange && ((sessionId, hashes) => exchange.tellPrompt(sessionId, hashes)),
    };
    exchange?.onTold({
      tellPrompt: (sessionId, hashes) => {
        const now = elapsed();
        const ref = this.#refs.use(sessionId, now);
        for (const hash of hashes) this.#table.learn(hash, ref, now);
      },
      tellResponse: (key, workerId) => this.#responses.learnKey(key, workerId),
    });
  }

  get #seeds(): Seeds {
    const secret = this.#secret();
    if (this.#seeded?.secret !== secret) this.#seeded = { secret, seeds: new Seeds(secret) };
    return this.#seeded.seeds;
  }

  /** Recognizes a request. Undefined if nothing in it says where it belongs. */
  of({ tenant, caller, model, path, headers, body }: PromptRequest): RequestAffinity | undefined {
    if (!hasPrompt(path)) return undefined;
    const named = clientKeyOf(headers, body);
    const key = named && {
      source: named.source,
      hash: Bun.hash.xxHash64(named.value, this.#seeds.ofConversations(tenant, caller, model)),
    };
    const chain = chainOf(body, path, this.#seeds.ofPrompts(tenant, model));
    if (!key && !chain) return undefined;
    return new RequestAffinity(this.#memory, { key, chain });
  }

  /** Whether all of this many workers are cold for the model, so that nothing is gained by recognizing its requests. */
  isCold(model: string, workers: number): boolean {
    let cold = 0;
    for (const each of this.#rates.cold(this.#elapsed())) if (each.model === model) cold += 1;
    return cold > 0 && cold >= workers;
  }

  /**
   * Compares the prediction for a request with what its answer states. Returns the worker if it counts as cold from now on.
   */
  ended(request: RequestAffinity, by: ServedBy, stated: StatedTokens | undefined): ColdWorker | undefined {
    const { input_tokens = 0, cached_tokens } = stated ?? {};
    if (cached_tokens === undefined) return undefined;
    const predictedTokens = request.predictedShare * input_tokens;
    const { sessionId, model, worker } = by;
    const outcome = { workerId: worker.id, sessionId, model, predictedTokens, cachedTokens: cached_tokens };
    return this.#rates.count(outcome, this.#elapsed());
  }

  /** Returns the id of the worker that has a response of the tenant; undefined for one that is not known. */
  homeOf(responseId: string, tenant: string): string | undefined {
    return this.#responses.find(responseId, this.#seeds.ofResponses(tenant));
  }

  learnResponse(responseId: string, tenant: string, workerId: string): void {
    const key = this.#responses.learn(responseId, this.#seeds.ofResponses(tenant), workerId);
    if (key !== undefined) this.#exchange?.tellResponse(key, workerId);
  }

  facts(): AffinityFacts {
    return {
      hashes: this.#table.size,
      maxHashes: MAX_HASHES,
      responses: this.#responses.size,
      cold: this.#rates.cold(this.#elapsed()),
      models: this.#rates.models,
    };
  }
}
