import type { Caller } from "../../../src/auth/caller.ts";
import type { JobReport } from "../../../src/pool/job-spec.ts";
import type { GenerationCost } from "./model-server.ts";

/** A request as a simulated client sends it. */
export interface Wish {
  readonly caller: Caller;
  readonly model: string;
  readonly prompt: Prompt;
  readonly outputTokens: number;
  /** The only worker that may serve it; any may, unless given. */
  readonly workerId?: string;
}

export interface Prompt {
  /** The prompt as caches keep it. Two prompts begin alike as far as their blocks are the same. */
  readonly blocks: readonly number[];
  /** Tokens after the last whole block. */
  readonly restTokens: number;
  /** The same as clients write it, with four characters for a token. Without any, nobody can recognize the prompt. */
  readonly messages?: readonly Message[];
}

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What became of a request. Times are milliseconds since the start of the simulation. */
export interface Trace {
  readonly wish: Wish;
  readonly sentAt: number;
  /** Undefined until the first token of the answer. */
  firstTokenAt: number | undefined;
  /** Undefined until a model server has begun with it. */
  cost: GenerationCost | undefined;
  /** Undefined while it waits or runs. */
  endedAt: number | undefined;
  report: JobReport | undefined;
}

/** Whether a request was answered in full. */
export function isFinished({ report }: Trace): boolean {
  return report?.end.kind === "complete" && report.status === 200;
}
