import { createCaller } from "../../../src/auth/caller.ts";
import { ONE_MODEL } from "./machine.ts";
import { NOTHING_SAID, type Said, Speech, toPrompt } from "./prompts.ts";
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

/** Lets everybody talk until the end of the simulation. */
export function converse(simulation: Simulation, load: ConversationLoad, seed = 11): void {
  const random = createRandom(seed);
  const speech = new Speech();
  const systems = Array.from({ length: load.system.kinds }, () =>
    speech.add(NOTHING_SAID, "system", load.system.tokens),
  );
  let conversations = 0;
  const begin = (): void => {
    const system = systems[Math.floor(random() * systems.length)] ?? NOTHING_SAID;
    const caller = createCaller(`person ${conversations}`);
    conversations += 1;
    const turn = (before: Said, nth: number): void => {
      const said = speech.add(before, "user", draw(random, nth === 0 ? load.firstTokens : load.userTokens));
      const outputTokens = draw(random, load.outputTokens);
      simulation.send({ caller, model: ONE_MODEL, prompt: toPrompt(said), outputTokens }, () => {
        const answered = speech.add(said, "assistant", outputTokens);
        const next = nth + 1 < load.turns ? () => turn(answered, nth + 1) : begin;
        simulation.at(simulation.now + draw(random, load.thinkMs), next);
      });
    };
    turn(system, 0);
  };
  for (let person = 0; person < load.people; person += 1) simulation.at(random() * load.thinkMs[1], begin);
}
