import * as v from "valibot";
import type { CallerClass } from "../auth/caller.ts";

/** What a request does at a limit that is not a used-up budget: it waits for its turn, or it is refused. */
export type OnLimit = "wait" | "refuse";

/** The limits of a key. An absent member sets no limit. Budgets count input and output tokens together. */
export interface KeyLimits {
  /** Jobs of the key that may run at once. */
  readonly parallel?: number | undefined;
  /** Jobs of the key that may wait at once; further ones are refused. */
  readonly maxWaiting?: number | undefined;
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  readonly tokensPerDay?: number | undefined;
  readonly tokensPerWeek?: number | undefined;
  readonly tokensPerMonth?: number | undefined;
  readonly audioSecondsPerDay?: number | undefined;
  readonly audioSecondsPerWeek?: number | undefined;
  readonly audioSecondsPerMonth?: number | undefined;
  /** The IANA name of the zone whose midnights begin days, weeks and months; UTC unless given. */
  readonly timezone?: string | undefined;
  /** `wait` unless given. */
  readonly onLimit?: OnLimit | undefined;
}

/** What a client's key allows at connector relays. An absent member restricts nothing. */
export interface KeyMcp {
  /** Globs of the ids of relays. */
  readonly relays?: readonly string[] | undefined;
  /** What the key may use of these relays: see `McpRules`. */
  readonly tools?: readonly string[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  /** Calls that may run at once, without streams that only listen. */
  readonly parallel?: number | undefined;
  readonly requestsPerMinute?: number | undefined;
}

/** What a key allows to its holder. An operator may change all of it while the key exists. */
export interface KeyTerms {
  /** The name that people know the key by. Several keys may have the same one. */
  readonly name: string;
  /** The group with which the key shares one place in the queue; `DEFAULT_TENANT` unless given. */
  readonly tenant?: string | undefined;
  /** Globs of the models that a client may use, or that a worker may offer; all of them unless given. */
  readonly models?: readonly string[] | undefined;
  readonly limits: KeyLimits;
  /** The share of a busy pool, relative to other callers of the class; 1 unless given. */
  readonly weight?: number | undefined;
  /** `normal` unless given. */
  readonly class?: CallerClass | undefined;
  /** What a client may do at connector relays; everything unless given. */
  readonly mcp?: KeyMcp | undefined;
  /** The header, in lower case, that names the end user behind each request. */
  readonly userHeader?: string | undefined;
  /** `own`: workers that serve only the key's tenant come before others. */
  readonly prefer?: "own" | undefined;
  /** The only tenants that a worker serves; all of them unless given. */
  readonly tenants?: readonly string[] | undefined;
  /** The most slots that a worker may have; as many as it announces unless given. */
  readonly maxSlots?: number | undefined;
  /** The most workers that a join token may let in; any number unless given. */
  readonly maxUses?: number | undefined;
  /** When the key stops being valid, in milliseconds since 1970; never unless given. */
  readonly expiresAt?: number | undefined;
}

const count = v.optional(v.number());
const text = v.optional(v.string());

const limitsSchema = v.object({
  parallel: count,
  maxWaiting: count,
  requestsPerMinute: count,
  tokensPerMinute: count,
  tokensPerDay: count,
  tokensPerWeek: count,
  tokensPerMonth: count,
  audioSecondsPerDay: count,
  audioSecondsPerWeek: count,
  audioSecondsPerMonth: count,
  timezone: text,
  onLimit: v.optional(v.picklist(["wait", "refuse"])),
} satisfies Record<keyof KeyLimits, v.GenericSchema>);

const patterns = v.optional(v.array(v.string()));

const keptMcp = v.object({
  relays: patterns,
  tools: patterns,
  prompts: patterns,
  resources: patterns,
  parallel: v.optional(v.number()),
  requestsPerMinute: v.optional(v.number()),
} satisfies Record<keyof KeyMcp, v.GenericSchema>);

/** The members of terms as they are kept. What was kept was checked before, so their bounds are not repeated here. */
export const keptTerms = {
  name: v.string(),
  tenant: text,
  models: v.optional(v.array(v.string())),
  limits: limitsSchema,
  weight: count,
  class: v.optional(v.picklist(["interactive", "normal", "background"])),
  mcp: v.optional(keptMcp),
  userHeader: text,
  prefer: v.optional(v.literal("own")),
  tenants: v.optional(v.array(v.string())),
  maxSlots: count,
  maxUses: count,
  expiresAt: count,
} satisfies Record<keyof KeyTerms, v.GenericSchema>;
