import { bad, type Check, type Finding, good } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import type { NoReply, Reply } from "./http-probe.ts";
import { moorageCode, strangeAnswer } from "./speaker.ts";
import type { Job } from "./temporary-worker.ts";

/** The number of jobs, each over a new connection: with several servers behind one address, some reach the wrong one. */
const TRIES = 4;
const LIMIT_MS = 30_000;
/** How many times a job is sent to a cluster that does not know its worker yet, and how far apart. */
const NEWS_TRIES = 3;
const NEWS_MS = 1000;
const ANSWER: Job = () => Response.json({ object: "chat.completion", choices: [] });

/** Checks whether a client's job reaches the worker, and the answer the client. */
export function jobCheck(checkup: Checkup): Check {
  return {
    id: "job",
    title: "Job",
    needs: ["client_key", "api_key"],
    limitMs: LIMIT_MS,
    async run(signal) {
      if (checkup.kind !== "llm") return { verdict: "skipped", measured: "needs the llm plugin" };
      const replies: (Reply | NoReply)[] = [];
      for (let at = 0; at < TRIES; at += 1) replies.push(await askOne(checkup, signal));
      const finding = judgeJobs(replies, checkup.target.base, checkup.isCluster);
      checkup.canAsk = finding.verdict === "good";
      return finding;
    },
  };
}

/** Sends a job. Another server of a cluster may learn of the worker a moment after its own. */
async function askOne(checkup: Checkup, signal: AbortSignal): Promise<Reply | NoReply> {
  for (let tries = 1; ; tries += 1) {
    const reply = await checkup.askWhole(ANSWER, { signal, timeoutMs: 20_000 });
    const isUnknown = reply.kind === "reply" && moorageCode(reply) === "model_not_found";
    if (!isUnknown || !checkup.isCluster || tries === NEWS_TRIES || signal.aborted) return reply;
    await checkup.pause(NEWS_MS, signal);
  }
}

/** Judges the answers. `isCluster` tells whether the servers say that they belong to one. */
export function judgeJobs(replies: readonly (Reply | NoReply)[], base: string, isCluster = false): Finding {
  const lost = replies.filter((reply) => reply.kind === "reply" && moorageCode(reply) === "model_not_found");
  if (lost.length > 0)
    return bad(
      `${lost.length} of ${replies.length} jobs did not find the worker`,
      isCluster
        ? "Not every server of the cluster reaches the one that has the worker. See the check Servers, and the problems on the dashboard of each."
        : "Several servers share this address, and each knows only its own workers. Set NATS_URL on all of them, so that they act as one, or run exactly one (fly scale count 1).",
    );
  const failed = replies.find((reply) => reply.kind === "none" || reply.status !== 200);
  if (failed) return brokenJob(failed, base);
  const took = replies.map(({ elapsedMs }) => elapsedMs);
  return good(
    `${replies.length} reached a worker here and came back, in ${Math.min(...took)} to ${Math.max(...took)} ms`,
  );
}

/** Says what a job's failure means, in any check. */
export function brokenJob(reply: Reply | NoReply, base: string): Finding {
  if (reply.kind === "reply") {
    if (moorageCode(reply) === "worker_lost" || moorageCode(reply) === "no_worker_available")
      return bad(
        `${reply.status} ${moorageCode(reply)}`,
        "The worker's WebSocket was cut. Find out what ends connections in between, and see the results below.",
      );
    return strangeAnswer(reply, base);
  }
  if (reply.code.startsWith("no link"))
    return bad(
      reply.code,
      "The worker's WebSocket was cut and could not be reopened. Find out what ends connections in between.",
    );
  return bad(
    `broke off after ${(reply.elapsedMs / 1000).toFixed(1)} s: ${reply.code}`,
    "Check the log of the proxy, or of the server if there is no proxy.",
  );
}
