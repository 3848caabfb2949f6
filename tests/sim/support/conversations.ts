import { createCaller } from "../../../src/auth/caller.ts";
import { ONE_MODEL } from "./machine.ts";
import { BLOCK_TOKENS } from "./prefix-cache.ts";
import { createRandom, draw, type Range } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** People or agents who talk to a model. Each turn sends the whole conversation again. */
export interface ConversationLoad {
  readonly people: number;
  /** Tokens of the system prompt, and the number of different ones. */
  readonly system: { readonly tokens: number; readonly kinds: number };
  /** Tokens of the first message, and of each later one. */
  readonly firstTokens: Range;
  readonly userTokens: Range;
  readonly outputTokens: Range;
  /** Milliseconds between an answer and the next message. */
  readonly thinkMs: Range;
  /** Turns until a new conversation begins. */
  readonly turns: number;
}

/** Tokens that end each prompt and are never cached: the start of the answer. */
const PROMPT_END_TOKENS = 10;

/** Lets everybody talk until the end of the simulation. */
export function converse(simulation: Simulation, load: ConversationLoad, seed = 11): void {
  const random = createRandom(seed);
  const blocks = new Blocks();
  const systems = Array.from({ length: load.system.kinds }, () => blocks.take(load.system.tokens));
  let conversations = 0;
  const begin = (): void => {
    const system = systems[Math.floor(random() * systems.length)] ?? [];
    const caller = createCaller(`person ${conversations}`);
    conversations += 1;
    const turn = (said: readonly number[], nth: number): void => {
      const message = blocks.take(draw(random, nth === 0 ? load.firstTokens : load.userTokens));
      const prompt = [...said, ...message];
      const outputTokens = draw(random, load.outputTokens);
      simulation.send(
        { caller, model: ONE_MODEL, prompt: { blocks: prompt, restTokens: PROMPT_END_TOKENS }, outputTokens },
        () => {
          const answered = [...prompt, ...blocks.take(outputTokens)];
          const next = nth + 1 < load.turns ? () => turn(answered, nth + 1) : begin;
          simulation.at(simulation.now + draw(random, load.thinkMs), next);
        },
      );
    };
    turn(system, 0);
  };
  for (let person = 0; person < load.people; person += 1) simulation.at(random() * load.thinkMs[1], begin);
}

/** Gives out blocks, no two of which are the same. */
class Blocks {
  #last = 0;

  take(tokens: number): number[] {
    return Array.from({ length: Math.ceil(tokens / BLOCK_TOKENS) }, () => {
      this.#last += 1;
      return this.#last;
    });
  }
}
