import type { ConversationLoad } from "./conversations.ts";
import { gpu, home } from "./hardware.ts";
import type { MachinePlan } from "./machine.ts";
import type { Hardware } from "./model-server.ts";

/** Clients and machines between which the choice of the worker matters. */
export interface RoutingLoad {
  readonly machines: readonly MachinePlan[];
  readonly clients: ConversationLoad;
  readonly minutes: number;
}

/** Machines of one kind. */
export function machines(count: number, hardware: Hardware, name = "w"): readonly MachinePlan[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${name}${at + 1}`, hardware }));
}

const CODING_AGENTS: ConversationLoad = {
  people: 40,
  system: { tokens: 9000, kinds: 3 },
  firstTokens: [1000, 2000],
  userTokens: [600, 1800],
  outputTokens: [80, 300],
  thinkMs: [500, 3000],
  turns: 25,
};

const ONE_TURN = { userTokens: [0, 0], turns: 1 } as const;

/** The loads by which routing is judged. */
export const ROUTING_LOADS = {
  "a hundred people who chat": {
    machines: machines(4, gpu(200_000)),
    clients: {
      people: 100,
      system: { tokens: 512, kinds: 1 },
      firstTokens: [300, 600],
      userTokens: [50, 400],
      outputTokens: [100, 400],
      thinkMs: [3000, 15_000],
      turns: 12,
    },
    minutes: 10,
  },
  "forty coding agents": { machines: machines(4, gpu(400_000)), clients: CODING_AGENTS, minutes: 10 },
  "six agents on three small machines": {
    machines: machines(3, home(40_000)),
    clients: {
      people: 6,
      system: { tokens: 9000, kinds: 1 },
      firstTokens: [500, 1000],
      userTokens: [400, 1500],
      outputTokens: [60, 200],
      thinkMs: [500, 4000],
      turns: 15,
    },
    minutes: 20,
  },
  "prompts that share nothing": {
    machines: machines(4, gpu(200_000)),
    clients: {
      people: 90,
      system: { tokens: 64, kinds: 100_000 },
      firstTokens: [1500, 3000],
      outputTokens: [100, 300],
      thinkMs: [200, 2000],
      ...ONE_TURN,
    },
    minutes: 5,
  },
  "one long prompt that all share": {
    machines: machines(4, gpu(200_000)),
    clients: {
      people: 140,
      system: { tokens: 8000, kinds: 1 },
      firstTokens: [150, 300],
      outputTokens: [100, 300],
      thinkMs: [100, 500],
      ...ONE_TURN,
    },
    minutes: 5,
  },
  "a hundred and fifty customers with a prompt each": {
    machines: machines(8, gpu(150_000)),
    clients: {
      people: 200,
      system: { tokens: 6000, kinds: 150 },
      firstTokens: [900, 1800],
      outputTokens: [200, 400],
      thinkMs: [200, 3000],
      ...ONE_TURN,
    },
    minutes: 5,
  },
  "coding agents on uneven machines": {
    machines: [
      ...machines(1, gpu(400_000), "large "),
      ...machines(3, gpu(120_000, { slots: 8, speed: 0.5 }), "small "),
    ],
    clients: CODING_AGENTS,
    minutes: 10,
  },
  "coding agents on caches that are too small": {
    machines: machines(4, gpu(80_000)),
    clients: CODING_AGENTS,
    minutes: 10,
  },
} as const satisfies Readonly<Record<string, RoutingLoad>>;

export type RoutingLoadName = keyof typeof ROUTING_LOADS;
