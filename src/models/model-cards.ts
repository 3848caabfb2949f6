import type { ModelCard } from "../plugin/contract.ts";
import { servesTenant } from "../pool/able.ts";
import { infoOf, joinInfo, type ModelFacts } from "../pool/model-facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { isDoctorModel } from "../wire/names.ts";

/** The most tenants whose cards are kept. */
const MAX_TENANTS = 100;

/** Describes the models of one pool. What workers say is joined once for each change of their offers. */
export class ModelCards {
  readonly #pool: Pool;
  /** The type of models whose workers name none. */
  readonly #type: string | undefined;
  #revision: number | undefined;
  #facts: ReadonlyMap<string, ModelFacts> = new Map();
  #cards: readonly ModelCard[] = [];
  /** The cards that callers of each tenant see, if they see others. */
  readonly #byTenant = new Map<string, readonly ModelCard[]>();

  constructor(pool: Pool, type: string | undefined) {
    this.#pool = pool;
    this.#type = type;
  }

  /**
   * The cards of the models that workers take jobs for now, sorted by id. With a tenant, they say nothing of workers that do not
   * serve its callers.
   */
  all(tenant?: string): readonly ModelCard[] {
    this.#refresh();
    if (tenant === undefined || !this.#pool.models.isDivided) return this.#cards;
    const known = this.#byTenant.get(tenant);
    if (known) return known;
    if (this.#byTenant.size >= MAX_TENANTS) this.#byTenant.clear();
    const cards = this.#toCards(this.#join(tenant));
    this.#byTenant.set(tenant, cards);
    return cards;
  }

  /** What is known of a model; undefined for one that no worker takes jobs for. */
  factsOf(model: string): ModelFacts | undefined {
    this.#refresh();
    return this.#facts.get(model);
  }

  #refresh(): void {
    const { offersRevision } = this.#pool.models;
    if (this.#revision === offersRevision) return;
    this.#revision = offersRevision;
    this.#byTenant.clear();
    this.#facts = this.#join(undefined);
    this.#cards = this.#toCards(this.#facts);
  }

  /** Joins what the workers that serve the callers of a tenant (of any, if undefined) say of each model that is served. */
  #join(tenant: string | undefined): ReadonlyMap<string, ModelFacts> {
    const { models } = this.#pool;
    const infos = new Map<string, ModelInfo[]>(models.served().map((model) => [model, []]));
    for (const seat of this.#pool.seats()) {
      if (seat.capacity === 0 || !servesTenant(seat.session, tenant)) continue;
      for (const info of infoOf(seat)) infos.get(info.id)?.push(info);
    }
    return new Map(
      [...infos].map(([model, said]) => [model, this.#toFacts([...said, ...models.infosElsewhere(model, tenant)])]),
    );
  }

  #toCards(facts: ReadonlyMap<string, ModelFacts>): readonly ModelCard[] {
    return [...facts]
      .filter(([id]) => !isDoctorModel(id))
      .map(([id, each]) => toCard(id, this.#pool.models.firstSeenAt(id) ?? 0, each));
  }

  #toFacts(said: readonly ModelInfo[]): ModelFacts {
    const facts = joinInfo(said);
    return said.some(({ type }) => type) ? facts : { ...facts, type: this.#type };
  }
}

function toCard(id: string, firstSeenAt: number, facts: ModelFacts): ModelCard {
  const { type, contextLength, maxContextLength, inputModalities, outputModalities, status } = facts;
  const hasModalities = inputModalities !== undefined || outputModalities !== undefined;
  return {
    id,
    object: "model",
    created: Math.floor(firstSeenAt / 1000),
    owned_by: "moorage",
    ...(type !== undefined && { type }),
    ...(contextLength !== undefined && { context_length: contextLength, max_model_len: contextLength }),
    ...(maxContextLength !== undefined && { max_context_length: maxContextLength }),
    ...(hasModalities && {
      architecture: {
        ...(inputModalities && { input_modalities: inputModalities }),
        ...(outputModalities && { output_modalities: outputModalities }),
      },
    }),
    ...(status !== undefined && { status: { value: status } }),
  };
}
