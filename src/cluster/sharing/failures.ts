import * as v from "valibot";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/** How long wrong keys are collected before they are sent. */
const GATHER_MS = 20;
/** The most addresses in a message. Further ones are dropped, which bounds the cost of a flood. */
const MAX_ADDRESSES = 500;

/** The length of the digest of an address: 96 bits, so that no two addresses are ever confused. */
const DIGEST_CHARS = 16;

const rowSchema = v.tuple([
  v.picklist(["key", "token"]),
  v.pipe(v.string(), v.length(DIGEST_CHARS)),
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
]);
const failuresSchema = v.object({
  type: v.literal("failures"),
  failures: v.pipe(v.array(rowSchema), v.maxLength(MAX_ADDRESSES)),
});

/** What was wrong: a key of the server, or the token of a relay. The two are counted separately. */
export type FailureKind = v.InferOutput<typeof rowSchema>[0];

/** Shares the wrong keys of one kind with the other servers. */
export interface SharedFailures {
  nameOf(address: string): string;
  tell(name: string, keys: number): void;
  onTold(listener: (name: string, keys: number) => void): void;
}

/**
 * Tells the other servers of each wrong key, so that an address has one limit over all of them. An address is named by a
 * digest under a secret of the cluster. Messages are not repeated: the wrong keys of a lost message count at this server
 * only.
 */
export class Failures {
  readonly #clock: Clock;
  readonly #tells: Tells;
  readonly #secret: () => string;
  readonly #listeners = new Map<FailureKind, (name: string, keys: number) => void>();
  readonly #gathered = new Map<string, [FailureKind, string, number]>();
  #cancelTell: CancelTimer | undefined;

  /** `secret` MUST be known to the servers of the cluster and to nobody else. It may change once the servers agree on one. */
  constructor(clock: Clock, tells: Tells, secret: () => string) {
    this.#clock = clock;
    this.#tells = tells;
    this.#secret = secret;
    tells.on("failures", failuresSchema, (_, { failures }) => {
      for (const [kind, name, keys] of failures) this.#listeners.get(kind)?.(name, keys);
    });
  }

  /** Returns the failures of one kind. */
  of(kind: FailureKind): SharedFailures {
    return {
      nameOf: (address) => this.#nameOf(address),
      tell: (name, keys) => this.#gather(kind, name, keys),
      onTold: (listener) => void this.#listeners.set(kind, listener),
    };
  }

  close(): void {
    this.#cancelTell?.();
  }

  #nameOf(address: string): string {
    const hmac = new Bun.CryptoHasher("sha256", this.#secret());
    return hmac.update(address).digest("base64url").slice(0, DIGEST_CHARS);
  }

  #gather(kind: FailureKind, name: string, keys: number): void {
    const key = `${kind} ${name}`;
    const row = this.#gathered.get(key);
    if (row) row[2] = Math.min(1000, row[2] + keys);
    else if (this.#gathered.size < MAX_ADDRESSES) this.#gathered.set(key, [kind, name, Math.min(1000, keys)]);
    this.#cancelTell ??= this.#clock.after(GATHER_MS, () => {
      this.#cancelTell = undefined;
      const failures = [...this.#gathered.values()];
      this.#gathered.clear();
      this.#tells.toAll({ type: "failures", failures });
    });
  }
}
