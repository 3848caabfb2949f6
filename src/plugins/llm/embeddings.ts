import { Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { nameServedModel, toClientHeaders } from "../../http/headers.ts";
import type { JobEnd } from "../../pool/job-spec.ts";
import { isCoded } from "../../reply/body-kind.ts";
import type { WholeAnswer } from "../../reply/collect.ts";
import { wholeResponse } from "../../reply/whole-response.ts";
import type { LlmCall, LlmPorts } from "./call.ts";
import type { EmbeddingInput, EmbeddingRequest } from "./embedding-input.ts";
import { mergeEmbeddings } from "./embedding-merge.ts";
import { EmbeddingRun } from "./embedding-run.ts";

/**
 * Answers a request for embeddings. Many inputs are cut into parts, which free workers pull one after the other, and the
 * answers are merged. A part that fails goes to another worker. When the request fails for good, its other parts are
 * cancelled. Rejects with a `Fault` or `ClientGone`.
 */
export async function relayEmbeddings(ports: LlmPorts, call: LlmCall, request: EmbeddingRequest): Promise<Response> {
  const run = new EmbeddingRun(ports, call, request);
  // The parts are jobs of their own to workers, and one request to everybody else.
  ports.area.began();
  try {
    const response = await answer(ports, call, run, request.input);
    run.ended({ kind: "complete" }, response.status);
    return response;
  } catch (error) {
    run.ended(toEnd(error), undefined);
    throw error;
  }
}

async function answer(
  { config, deps }: LlmPorts,
  call: LlmCall,
  run: EmbeddingRun,
  input: EmbeddingInput,
): Promise<Response> {
  const { answers, refused } = await run.finish();
  const respond = (whole: WholeAnswer, pieces: readonly Uint8Array[]): Response => {
    const headers = toClientHeaders(whole.headers, call.visit.requestId);
    if (run.servedModel !== run.model) nameServedModel(headers, run.servedModel);
    if (config.explainRouting) run.reports.explain(headers);
    return wholeResponse(whole.status, headers, pieces);
  };
  // An unsuccessful answer goes to the client unchanged.
  if (refused) return respond(refused, [refused.body]);
  const first = answers[0];
  if (!first) throw new Fault("upstream_error");
  if (answers.some(({ whole }) => isCoded(whole.headers))) {
    if (answers.length === 1) return respond(first.whole, [first.body]);
    throw new Fault("upstream_error", { message: "The model server's answers cannot be merged: one is compressed." });
  }
  const merged = await mergeEmbeddings(answers, input.count, input.encoding, {
    elapsed: () => deps.clock.elapsed(),
    pause: nextTurn,
  });
  if (!merged.ok)
    throw new Fault("upstream_error", { message: `The model server's answer cannot be used: ${merged.reason}.` });
  return respond(first.whole, merged.pieces);
}

function toEnd(error: unknown): JobEnd {
  if (error instanceof ClientGone) return { kind: "canceled" };
  const fault = error instanceof Fault ? error : new Fault("internal_error", { cause: error });
  return { kind: "failed", fault, begun: false };
}

/** Resolves after everything that is waiting has had its turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
