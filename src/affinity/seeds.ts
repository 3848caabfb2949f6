/**
 * The seeds of all hashes in this folder. They come from a secret of this process, so nobody outside can compute a hash, and
 * each belongs to one tenant, so the hashes of two tenants have nothing in common.
 *
 * The hash is xxHash64, because different seeds give different hashes for the same input whatever that input is. wyhash and
 * rapidhash lack this: an input that contains one of their public constants gives the same hash for every seed, so two
 * tenants who send it would share a table entry. Bun's xxHash3 takes only 32 bits of a seed. xxHash64 is no cryptographic
 * hash: someone who knows a prompt can write another text with the same hash for the same seed. Sending the prompt itself
 * would have the same effect.
 */
export class Seeds {
  readonly #prompts: bigint;
  readonly #conversations: bigint;
  readonly #responses: bigint;

  /** `secret` MUST hold at least 64 random bits that nobody else knows. */
  constructor(secret: string) {
    const root = Bun.hash.xxHash64(secret);
    this.#prompts = Bun.hash.xxHash64("prompts", root);
    this.#conversations = Bun.hash.xxHash64("conversations", root);
    this.#responses = Bun.hash.xxHash64("responses", root);
  }

  /** The seed of the prompts that a tenant sends to a model. */
  ofPrompts(tenant: string, model: string): bigint {
    return Bun.hash.xxHash64(model, Bun.hash.xxHash64(tenant, this.#prompts));
  }

  /**
   * The seed of the conversations that one caller has with a model. Unlike a prompt, the name of a conversation may be as
   * short as `1`, so callers of one tenant do not share it.
   */
  ofConversations(tenant: string, caller: string, model: string): bigint {
    const ofTenant = Bun.hash.xxHash64(tenant, this.#conversations);
    return Bun.hash.xxHash64(model, Bun.hash.xxHash64(caller, ofTenant));
  }

  /** The seed of the ids of a tenant's responses. */
  ofResponses(tenant: string): bigint {
    return Bun.hash.xxHash64(tenant, this.#responses);
  }
}
