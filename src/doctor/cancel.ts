import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { brokenJob } from "./jobs.ts";
import { type Job, TemporaryWorker } from "./temporary-worker.ts";

/** How long a model may keep working after its client has left. After the wait the cancel counts as lost. */
const CANCEL_LIMIT_MS = 5000;
const CANCEL_WAIT_MS = 8000;
/** The pause between pieces of the stream: a proxy may notice only when it writes that the client has left. */
const ENDLESS_EVERY_MS = 200;
/** How long the start of the stream may take to reach the client, so that it leaves during the answer. */
const BEFORE_MS = 500;
const LIMIT_MS = 30_000;

/** Measures how long the worker takes to learn that a client has left. */
export function cancelCheck(checkup: Checkup): Check {
  return {
    id: "cancel",
    title: "Cancelling",
    needs: ["job"],
    limitMs: LIMIT_MS,
    async run(signal) {
      const worker = await checkup.worker();
      const client = new AbortController();
      const began = Promise.withResolvers<"began">();
      const heard = Promise.withResolvers<number>();
      const job: Job = (_body, given) => {
        given.addEventListener("abort", () => heard.resolve(checkup.elapsed()));
        began.resolve("began");
        return endless(checkup, given);
      };
      const either = AbortSignal.any([signal, client.signal]);
      // The answer is read until the client leaves: a client that only stops reading has not left.
      const reply = checkup.askWhole(job, { signal: either, stream: true, timeoutMs: LIMIT_MS });
      const first = await Promise.race([began.promise, reply]);
      if (first !== "began") return brokenJob(first, checkup.target.base);
      await checkup.pause(BEFORE_MS, signal);
      const leftAt = checkup.elapsed();
      client.abort();
      const heardAt = await Promise.race([heard.promise, checkup.pause(CANCEL_WAIT_MS, signal)]);
      // A worker whose link was cut is not told about clients. Its jobs end because of the cut.
      const isCut = worker instanceof TemporaryWorker && !worker.isRegistered;
      if (isCut) return brokenJob({ kind: "none", code: "no link: cut", elapsedMs: 0 }, checkup.target.base);
      return judgeCancel(heardAt === undefined ? undefined : heardAt - leftAt);
    },
  };
}

export function judgeCancel(elapsedMs: number | undefined): Finding {
  const advice =
    "Make the proxy end its request to the server when the client leaves (nginx: proxy_ignore_client_abort off). Otherwise models keep working for clients that have left.";
  if (elapsedMs === undefined)
    return bad(`a client that left was not noticed within ${CANCEL_WAIT_MS / 1000} s`, advice);
  const measured = `the worker learned after ${Math.round(elapsedMs)} ms that a client had left`;
  return elapsedMs <= CANCEL_LIMIT_MS ? good(measured) : warning(measured, advice);
}

function endless(checkup: Checkup, signal: AbortSignal): Response {
  const events = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(Buffer.from("data: {}\n\n"));
      await checkup.pause(ENDLESS_EVERY_MS, signal);
      if (signal.aborted) controller.close();
    },
  });
  return new Response(events, { headers: { "content-type": "text/event-stream" } });
}
