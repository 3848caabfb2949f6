import type { Caller } from "../../../src/auth/caller.ts";
import { ONE_MODEL } from "./machine.ts";
import { ownPrompt } from "./prompts.ts";
import { createRandom, draw, type Range } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** The requests of one caller, which have nothing in common but their sizes. */
export interface Requests {
  readonly caller: Caller;
  readonly promptTokens: Range;
  readonly outputTokens: Range;
  /** Chooses the model of a request by a number from 0 to below 1; one model unless given. */
  readonly model?: (random: number) => string;
  readonly workerId?: string;
}

/** Milliseconds between an answer and the next request of a caller that keeps requests open. */
const PAUSE_MS = 5;

/** Keeps this many requests of a caller open. */
export function keepOpen(simulation: Simulation, count: number, requests: Requests, seed = 7): void {
  const random = createRandom(seed);
  const send = (): void => sendOne(simulation, requests, random, () => simulation.at(simulation.now + PAUSE_MS, send));
  for (let at = 0; at < count; at += 1) simulation.at(at, send);
}

/** Sends requests of a caller at random times, on average one each `everyMs`. */
export function arrive(simulation: Simulation, everyMs: number, requests: Requests, seed = 7): void {
  const random = createRandom(seed);
  const next = (): void => {
    simulation.at(simulation.now - Math.log(1 - random()) * everyMs, () => {
      sendOne(simulation, requests, random);
      next();
    });
  };
  next();
}

function sendOne(simulation: Simulation, requests: Requests, random: () => number, onEnd?: () => void): void {
  const { caller, model = () => ONE_MODEL, workerId } = requests;
  const wish = {
    caller,
    model: model(random()),
    prompt: ownPrompt(draw(random, requests.promptTokens)),
    outputTokens: draw(random, requests.outputTokens),
  };
  simulation.send(workerId === undefined ? wish : { ...wish, workerId }, onEnd);
}
