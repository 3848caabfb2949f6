import type { ModelCard } from "../plugin/contract.ts";
import { infoOf, joinInfo, type ModelFacts } from "../pool/model-facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { isDoctorModel } from "../wire/names.ts";

/** Describes the models of one pool. What workers say is joined once for each change of their offers. */
export class ModelCards {
  readonly #pool: Pool;
  /** The type of models whose workers name none. */
  readonly #type: string | undefined;
  #revision: number | undefined;
  #facts: ReadonlyMap<string, ModelFacts> = new Map();
  #cards: readonly ModelCard[] = [];

  constructor(pool: Pool, type: string | undefined) {
    this.#pool = pool;
    this.#type = type;
  }

  /** The cards of the models that workers take jobs for now, sorted by id. */
  all(): readonly ModelCard[] {
    this.#refresh();
    return this.#cards;
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
    const infos = new Map<string, ModelInfo[]>(this.#pool.models.served().map((model) => [model, []]));
    for (const seat of this.#pool.seats()) {
      if (seat.capacity > 0) for (const info of infoOf(seat)) infos.get(info.id)?.push(info);
    }
    const facts = [...infos].map(
      ([model, said]) => [model, this.#toFacts([...said, ...this.#pool.models.infosElsewhere(model)])] as const,
    );
    this.#facts = new Map(facts);
    this.#cards = facts
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
