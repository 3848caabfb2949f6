import * as v from "valibot";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/** How long hashes are collected before they are sent. */
const GATHER_MS = 100;
/**
 * The most hashes and responses in one message. Further ones are dropped, since the table of prefixes is incomplete anyway.
 */
const MAX_HASHES = 4096;
const MAX_RESPONSES = 1000;
const MAX_ID_CHARS = 256;
const HASH_BYTES = 8;

const idField = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_ID_CHARS));
const prefixesSchema = v.object({
  type: v.literal("prefixes"),
  plugin: v.pipe(v.string(), v.maxLength(64)),
  /** The id of a session, and the hashes of the prompts that it was sent, 8 bytes each, in base64. */
  prompts: v.optional(v.pipe(v.array(v.tuple([idField, v.pipe(v.string(), v.base64())])), v.maxLength(MAX_HASHES)), []),
  /** The key of a response, and the id of the worker that has it. */
  responses: v.optional(v.pipe(v.array(v.tuple([idField, idField])), v.maxLength(MAX_RESPONSES)), []),
});

/** Receives facts about prompts and responses. */
export interface PrefixListener {
  tellPrompt(sessionId: string, hashes: readonly bigint[]): void;
  tellResponse(key: string, workerId: string): void;
}

/** The prefixes of one plugin. */
export interface SharedPrefixes extends PrefixListener {
  onTold(listener: PrefixListener): void;
}

interface Gathered {
  readonly prompts: Map<string, bigint[]>;
  readonly responses: Map<string, string>;
  hashes: number;
}

/**
 * Tells the other servers which session was sent which prompt, so that a conversation that continues at another server finds
 * its worker. Only hashes are sent. If a message is lost, a prompt is computed once more.
 */
export class Prefixes {
  readonly #clock: Clock;
  readonly #tells: Tells;
  readonly #listeners = new Map<string, PrefixListener>();
  readonly #gathered = new Map<string, Gathered>();
  #cancelTell: CancelTimer | undefined;

  constructor(clock: Clock, tells: Tells) {
    this.#clock = clock;
    this.#tells = tells;
    tells.on("prefixes", prefixesSchema, (_, { plugin, prompts, responses }) => {
      const listener = this.#listeners.get(plugin);
      if (!listener) return;
      let left = MAX_HASHES;
      for (const [sessionId, encoded] of prompts) {
        const hashes = decode(encoded).slice(0, left);
        left -= hashes.length;
        if (hashes.length > 0) listener.tellPrompt(sessionId, hashes);
      }
      for (const [key, workerId] of responses) listener.tellResponse(key, workerId);
    });
  }

  /** Returns the prefixes of one plugin. */
  of(plugin: string): SharedPrefixes {
    return {
      tellPrompt: (sessionId, hashes) => {
        const gathered = this.#gather(plugin);
        const known = gathered.prompts.get(sessionId) ?? [];
        gathered.prompts.set(sessionId, known);
        const taken = hashes.slice(0, MAX_HASHES - gathered.hashes);
        gathered.hashes += taken.length;
        known.push(...taken);
      },
      tellResponse: (key, workerId) => {
        const { responses } = this.#gather(plugin);
        if (responses.size < MAX_RESPONSES) responses.set(key, workerId);
      },
      onTold: (listener) => void this.#listeners.set(plugin, listener),
    };
  }

  close(): void {
    this.#cancelTell?.();
  }

  #gather(plugin: string): Gathered {
    const known = this.#gathered.get(plugin);
    if (known) return known;
    const gathered = { prompts: new Map(), responses: new Map(), hashes: 0 };
    this.#gathered.set(plugin, gathered);
    this.#cancelTell ??= this.#clock.after(GATHER_MS, () => this.#tell());
    return gathered;
  }

  #tell(): void {
    this.#cancelTell = undefined;
    for (const [plugin, { prompts, responses }] of this.#gathered)
      this.#tells.toAll({
        type: "prefixes",
        plugin,
        prompts: Array.from(prompts, ([sessionId, hashes]) => [sessionId, encode(hashes)]),
        responses: [...responses],
      });
    this.#gathered.clear();
  }
}

function encode(hashes: readonly bigint[]): string {
  return Buffer.from(BigUint64Array.from(hashes).buffer).toString("base64");
}

function decode(encoded: string): bigint[] {
  const bytes = Buffer.from(encoded, "base64");
  return Array.from({ length: Math.floor(bytes.length / HASH_BYTES) }, (_, at) =>
    bytes.readBigUInt64LE(at * HASH_BYTES),
  );
}
