import { type Caller, type CallerClass, createCaller, DEFAULT_TENANT } from "../../src/auth/caller.ts";
import { Fault } from "../../src/errors.ts";
import type { KeyLimits } from "../../src/keys/key-terms.ts";
import { KeyCharges } from "../../src/limits/charges.ts";
import type { RequestCharge } from "../../src/pool/charge.ts";
import type { Claim } from "../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { LimitedQueue } from "../../src/pool/policies/limited/limited-queue.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { JobTicket } from "../../src/pool/ticket.ts";
import type { Wait } from "../../src/pool/waits.ts";
import { FakeClock } from "./fake-clock.ts";
import { PolicyWitness } from "./policy-witness.ts";
import { ScriptedSession } from "./scripted-session.ts";

export const QUEUE_TIMEOUT_MS = 120_000;

export interface Asked {
  readonly key: string;
  readonly ticket: JobTicket;
  readonly charge: RequestCharge | undefined;
  readonly wait: Wait | undefined;
  /** `Clock.elapsed` when it got its slot. */
  begunAt: number | undefined;
  claim: Claim | undefined;
  fault: Fault | undefined;
}

export interface Ask {
  readonly model?: string;
  readonly tokens?: number;
  readonly endUser?: string;
  /** The request that it belongs to, if it is a further job of one. */
  readonly of?: Asked;
}

/** A pool whose callers are keys with limits, and what each of their jobs comes to. */
export class LimitedRig {
  readonly clock = new FakeClock();
  readonly charges = new KeyCharges({ clock: this.clock, usedSince: () => 0 });
  readonly asked: Asked[] = [];
  readonly pool: Pool;
  #witness: PolicyWitness | undefined;
  readonly #callers = new Map<string, Caller>();
  readonly #tenants = new Map<string, string>();
  readonly #weights = new Map<string, number>();
  readonly #classes = new Map<string, CallerClass>();

  constructor(queueSize = 1000) {
    this.pool = this.createPool("llm", queueSize);
  }

  get wrongs(): readonly string[] {
    return this.#witness?.wrongs ?? [];
  }

  /** Creates a further pool behind the same limits. */
  createPool(name: string, queueSize = 1000): Pool {
    const { clock, charges } = this;
    return new Pool({
      clock,
      queueSize,
      queueTimeoutMs: QUEUE_TIMEOUT_MS,
      modelGraceMs: 60_000,
      serverId: "s1",
      name,
      createPolicy: (host) => {
        const limited = new LimitedQueue(
          {
            capacity: queueSize,
            timeoutMs: QUEUE_TIMEOUT_MS,
            clock,
            charges,
            createInner: (inner, room) =>
              new FairQueue(
                {
                  get capacity() {
                    return room.capacity;
                  },
                  clock,
                  costOf: ({ output }) => output,
                },
                inner,
              ),
          },
          host,
        );
        this.#witness ??= new PolicyWitness(limited);
        return name === "llm" ? this.#witness : limited;
      },
    });
  }

  limit(key: string, limits: KeyLimits): void {
    this.charges.set(key, limits);
  }

  /** Sets the limits that some keys share, which have not asked for anything yet. */
  share(tenant: string, limits: KeyLimits, ...keys: readonly string[]): void {
    for (const key of keys) this.#tenants.set(key, tenant);
    this.charges.setTenant(tenant, limits);
  }

  /** Moves a key to another tenant. */
  move(key: string, tenant: string, limits: KeyLimits = {}): void {
    this.#tenants.set(key, tenant);
    this.#callers.delete(key);
    this.charges.set(key, limits, tenant);
  }

  /** Sets the weight of a key that has not asked for anything yet. */
  weigh(key: string, weight: number): void {
    this.#weights.set(key, weight);
  }

  /** Sets the class of a key that has not asked for anything yet. */
  classify(key: string, callerClass: CallerClass): void {
    this.#classes.set(key, callerClass);
  }

  connect(workerId: string, slots: number, models: readonly string[] = ["m"], pool = this.pool): void {
    const session = new ScriptedSession(workerId, models, slots, this.clock);
    session.host = pool;
    pool.onOpened(session);
  }

  /** Asks for a slot as a job of this key does. A key that was not limited is like any other caller. */
  ask(key: string, { model = "m", tokens = 0, endUser, of }: Ask = {}, pool = this.pool): Asked {
    const tenant = this.#tenants.get(key) ?? DEFAULT_TENANT;
    const weight = this.#weights.get(key) ?? 1;
    const callerClass = this.#classes.get(key) ?? "normal";
    const made = { ...createCaller(`key:${key}`), keyId: key, tenant, weight, class: callerClass };
    const caller = this.#callers.get(key) ?? made;
    this.#callers.set(key, caller);
    const charge = of ? of.charge : this.charges.open(caller, () => ({ inputTokens: tokens, maxOutput: 0 }));
    const demand = { model, exact: false, excluded: NONE_EXCLUDED };
    const ticket = pool.issueTicket({ caller, endUser, charge, demand }, this.clock.elapsed(), of !== undefined);
    const asked: { -readonly [Name in keyof Asked]: Asked[Name] } = {
      key,
      ticket,
      charge,
      wait: undefined,
      begunAt: undefined,
      claim: undefined,
      fault: undefined,
    };
    this.asked.push(asked);
    this.#acquire(asked, pool);
    return asked;
  }

  /** Ends a job whose request has used so much. */
  end(asked: Asked, tokens = 0): void {
    const { claim } = asked;
    asked.claim = undefined;
    asked.charge?.settle({ tokens, audioSeconds: 0 });
    claim?.count({ outcome: "completed", error: undefined, runningMs: 1, usage: undefined, output: 1 });
    claim?.release();
  }

  /** The jobs of a key that have a slot now. */
  running(key: string): readonly Asked[] {
    return this.asked.filter((each) => each.key === key && each.claim !== undefined);
  }

  /** The jobs of a key that wait now. */
  waiting(key: string): readonly Asked[] {
    return this.asked.filter((each) => each.key === key && !each.claim && !each.fault && each.begunAt === undefined);
  }

  #acquire(asked: { -readonly [Name in keyof Asked]: Asked[Name] }, pool: Pool): void {
    const begin = (claim: Claim): void => {
      asked.claim = claim;
      asked.begunAt = this.clock.elapsed();
    };
    try {
      const claim = pool.claim(asked.ticket);
      if (claim) return begin(claim);
      asked.wait = pool.wait(asked.ticket, begin, (fault) => {
        asked.fault = fault;
        asked.charge?.settle({ tokens: 0, audioSeconds: 0 });
      });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      asked.fault = error;
    }
  }
}
