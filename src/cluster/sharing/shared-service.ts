import * as v from "valibot";
import type { FlowService, SharedService } from "../../pool/queue-policy.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/**
 * How often servers tell each other what callers have received. Shares are exact up to what callers receive within one
 * period.
 */
export const SERVICE_PERIOD_MS = 1000;

/** The most flows in one message. Further flows go into further messages. */
const MAX_FLOWS = 1000;
const MAX_TEXT_CHARS = 512;
/** More than any job costs: 2 to the power of 40 weighted tokens. */
const MAX_AMOUNT = 2 ** 40;
/** The bounds of weights in docs/keys.md. */
const [MIN_WEIGHT, MAX_WEIGHT] = [0.01, 100];

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT_CHARS));
const rowSchema = v.tuple([
  text,
  v.picklist(["interactive", "normal", "background"]),
  text,
  text,
  v.nullable(text),
  v.pipe(v.number(), v.minValue(-MAX_AMOUNT), v.maxValue(MAX_AMOUNT)),
  v.optional(v.pipe(v.number(), v.minValue(MIN_WEIGHT), v.maxValue(MAX_WEIGHT)), 1),
]);
const serviceSchema = v.object({
  type: v.literal("service"),
  pool: text,
  flows: v.pipe(v.array(rowSchema), v.maxLength(MAX_FLOWS)),
});

/** A pool whose queue policy may use what callers have received. */
export interface ServicePool {
  readonly sharedService: SharedService | undefined;
}

/**
 * Tells the other servers once a second what each caller has received here, so that a caller that was served at one server
 * comes after others at all servers. Messages have only differences: servers that have just met do not learn what was
 * received before.
 */
export class ServiceNews {
  readonly #tells: Tells;
  readonly #pools = new Map<string, ServicePool>();
  readonly #cancelTimer: CancelTimer;

  constructor(clock: Clock, tells: Tells) {
    this.#tells = tells;
    this.#cancelTimer = clock.every(SERVICE_PERIOD_MS, () => this.#tell());
    tells.on("service", serviceSchema, (peer, { pool, flows }) => {
      const services = flows.map(([model, callerClass, tenant, caller, endUser, amount, weight]) => ({
        model,
        class: callerClass,
        tenant,
        caller,
        endUser: endUser ?? undefined,
        amount: amount * weight,
        weight,
      }));
      this.#pools.get(pool)?.sharedService?.addService(peer, services, clock.elapsed());
    });
  }

  /** Lets a pool take part. `name` is that of the pool on every server. */
  join(name: string, pool: ServicePool): void {
    this.#pools.set(name, pool);
    pool.sharedService?.takeService();
  }

  close(): void {
    this.#cancelTimer();
  }

  #tell(): void {
    for (const [pool, { sharedService }] of this.#pools) {
      const services = sharedService?.takeService() ?? [];
      for (let at = 0; at < services.length; at += MAX_FLOWS)
        this.#tells.toAll({ type: "service", pool, flows: services.slice(at, at + MAX_FLOWS).map(toRow) });
    }
  }
}

function toRow({
  model,
  class: callerClass,
  tenant,
  caller,
  endUser,
  amount,
  weight,
}: FlowService): v.InferInput<typeof rowSchema> {
  return [model, callerClass, tenant, caller, endUser ?? null, amount / weight, weight];
}
