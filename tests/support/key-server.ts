import { SharedKeyUses } from "../../src/cluster/sharing/key-uses.ts";
import { Tells } from "../../src/cluster/tells.ts";
import type { KeyLimits } from "../../src/keys/key-terms.ts";
import type { KeyCharge } from "../../src/limits/charge.ts";
import { KeyCharges } from "../../src/limits/charges.ts";
import type { LimitName } from "../../src/limits/limit-names.ts";
import type { CancelTimer } from "../../src/system/deps.ts";
import { MemoryUsage } from "../../src/usage/memory-usage.ts";
import { UsageMeter } from "../../src/usage/usage-meter.ts";
import type { UsageRecords } from "../../src/usage/usage-records.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { MemoryLinks } from "./memory-links.ts";

export const KEY = "key";

/** What a request to a `KeyServer` is like. */
export interface KeyRequest {
  readonly tokens: number;
  readonly durationMs: number;
}

export interface KeyServerOptions {
  readonly clock: FakeClock;
  readonly links: MemoryLinks;
  readonly id: string;
  readonly epoch: string;
  readonly limits: KeyLimits;
  /** What its DATA_DIR has; undefined for a server without one. */
  readonly store?: UsageRecords | undefined;
  readonly onUsed?: (tokens: number) => void;
  /** Called before a request is let in, and before a job begins. */
  readonly onBegin?: (server: KeyServer, what: "request" | "job") => void;
}

/** One server of a cluster, as far as the limits of one key are concerned. Its requests need no workers. */
export class KeyServer {
  readonly id: string;
  readonly uses: SharedKeyUses;
  readonly charges: KeyCharges;
  readonly waiting: { readonly charge: KeyCharge; readonly request: KeyRequest }[] = [];
  /** `Clock.elapsed` at which requests were let in. */
  readonly letIn: number[] = [];
  refused = 0;
  running = 0;
  isAlive = true;
  readonly #options: KeyServerOptions;
  readonly #meter: UsageMeter;
  #cancelTimer: CancelTimer | undefined;
  #isPumping = false;

  constructor(options: KeyServerOptions) {
    const { clock, links, id, epoch, limits, store = new MemoryUsage() } = options;
    this.#options = options;
    this.id = id;
    const records: UsageRecords = {
      add: (cells) => !this.isAlive || store.add(cells),
      view: (range) => store.view(range),
      spentSince: (from) => store.spentSince(from),
      prune: () => false,
    };
    this.#meter = new UsageMeter({ clock, records, flushMs: 1000 });
    this.uses = new SharedKeyUses(clock, new Tells(links.join(id)), { id, epoch });
    this.charges = new KeyCharges({
      clock,
      elsewhere: this.uses,
      usedSince: (keyId, _, at) => this.#meter.usedSince(keyId, at).tokens,
      usedBefore: (keyId, _, at) => this.#meter.usedBefore(keyId, at).tokens,
    });
    this.charges.onChange(() => this.#pump());
    this.charges.set(KEY, limits);
  }

  /** What it shows as used of a limit. */
  used(limit: LimitName): number {
    const states = this.charges.allowances.of(KEY)?.states() ?? [];
    return states.find((state) => state.limit === limit)?.used ?? 0;
  }

  ask(request: KeyRequest): void {
    const charge = this.charges.open({ keyId: KEY, tenant: "default" }, () => ({
      inputTokens: request.tokens,
      maxOutput: 0,
    }));
    if (!charge) throw new Error("the key has no limits");
    charge.join();
    this.waiting.push({ charge, request });
    this.#pump();
  }

  /** Gives up everything that waits. */
  leave(): void {
    for (const { charge } of this.waiting.splice(0)) charge.leave();
  }

  kill(): void {
    this.isAlive = false;
    this.#cancelTimer?.();
    this.uses.close();
  }

  /** Ends in order: what was used is written. */
  stop(): void {
    this.#meter.close();
    this.kill();
  }

  #pump(): void {
    if (!this.isAlive || this.#isPumping) return;
    this.#isPumping = true;
    this.#cancelTimer?.();
    for (;;) {
      const [first] = this.waiting;
      if (!first) break;
      const { charge, request } = first;
      const hold = charge.admissionHold();
      if (hold?.isFinal) {
        this.waiting.shift();
        charge.leave();
        this.refused += 1;
        continue;
      }
      if (hold) {
        if (hold.waitMs !== undefined)
          this.#cancelTimer = this.#options.clock.after(Math.max(1, hold.waitMs), () => this.#pump());
        break;
      }
      if (charge.admittedAt === undefined) {
        this.#options.onBegin?.(this, "request");
        charge.admit();
        this.letIn.push(this.#options.clock.elapsed());
      }
      if (charge.slotHold()) break;
      this.waiting.shift();
      charge.leave();
      this.#run(charge, request);
    }
    this.#isPumping = false;
  }

  #run(charge: KeyCharge, { tokens, durationMs }: KeyRequest): void {
    this.#options.onBegin?.(this, "job");
    this.running += 1;
    charge.begin();
    this.#options.clock.after(durationMs, () => {
      if (!this.isAlive) return;
      this.running -= 1;
      this.#meter.add({ key: KEY, model: "m", isFailed: false, inputTokens: tokens, waitMs: 0, heldMs: durationMs });
      this.#options.onUsed?.(tokens);
      charge.settle({ tokens, audioSeconds: 0 });
      charge.end();
      this.#pump();
    });
  }
}
