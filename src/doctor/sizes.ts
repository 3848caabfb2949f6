import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import type { NoReply, Reply } from "./http-probe.ts";
import { brokenJob } from "./jobs.ts";
import { moorageCode, speakerName } from "./speaker.ts";
import { type Job, TemporaryWorker } from "./temporary-worker.ts";

const MIB = 1024 * 1024;
/** Sizes of requests: first a photo or two, far over nginx's default limit of 1 MiB; then less, to find the limit. */
const REQUEST_BYTES = [8 * MIB, 2 * MIB, 900 * 1024] as const;
const ANSWER_BYTES = 8 * MIB;
/** Just below the largest message of a worker (docs/protocol.md: 1 MiB). */
const MESSAGE_BYTES = MIB - 1024;
/** 8 MiB both ways need 40 s on a line of 4 Mbit/s. */
const LIMIT_MS = 120_000;
/** How long a cut may take to be noticed when no job can show it. */
const SETTLE_MS = 2000;

/** Checks whether large requests and answers pass. */
export function bodySizeCheck(checkup: Checkup): Check {
  return {
    id: "body_size",
    title: "Large bodies",
    needs: ["job"],
    limitMs: LIMIT_MS,
    async run(signal) {
      const tried: SizeTried[] = [];
      for (const bytes of REQUEST_BYTES) {
        const outcome = await tryBytes(checkup, bytes, signal);
        tried.push(outcome);
        if (outcome.reply.kind !== "reply" || outcome.reply.status !== 413) break;
      }
      return judgeSizes(tried, checkup.target.base);
    },
  };
}

/** One request and its result. */
export interface SizeTried {
  readonly bytes: number;
  readonly reply: Reply | NoReply;
  /** The bytes that came back: `ANSWER_BYTES` if all is well. */
  readonly answerBytes: number;
}

async function tryBytes(checkup: Checkup, bytes: number, signal: AbortSignal): Promise<SizeTried> {
  let arrived = 0;
  const job: Job = (body) => {
    arrived = body.length;
    return new Response(Buffer.alloc(ANSWER_BYTES, 32), { headers: { "content-type": "application/json" } });
  };
  const reply = await checkup.askWhole(job, { signal, bytes, timeoutMs: LIMIT_MS });
  const isWhole = arrived >= bytes;
  return { bytes, reply, answerBytes: reply.kind === "reply" && isWhole ? reply.text.length : 0 };
}

/** Judges requests from the largest to the smallest. Only the last was not answered 413. */
export function judgeSizes(tried: readonly SizeTried[], base: string): Finding {
  const refused = tried.filter(({ reply }) => reply.kind === "reply" && reply.status === 413);
  const last = tried.at(-1);
  if (!last) return bad("nothing was tried", "This is a bug in the doctor. Please report it.");
  const passed = refused.includes(last) ? undefined : last;
  const first = refused[0]?.reply;
  if (first?.kind === "reply") {
    const upTo = passed === undefined ? "not even" : "but";
    const measured = `a request of ${toMib(tried[0]?.bytes ?? 0)} is refused (413), ${upTo} ${toMib(last.bytes)} passes`;
    if (moorageCode(first) === "request_too_large")
      return warning(
        `${measured}: the server's own limit`,
        "Raise MAX_BODY_BYTES on the server if prompts contain images or files.",
      );
    return bad(
      `${measured}: a limit of ${speakerName(first)}`,
      "Raise the proxy's limit on request bodies (nginx: client_max_body_size 0); the server has its own.",
    );
  }
  if (last.reply.kind === "none" || last.reply.status !== 200) return brokenJob(last.reply, base);
  if (last.answerBytes !== ANSWER_BYTES)
    return bad(
      `${toMib(last.answerBytes)} of a response of ${toMib(ANSWER_BYTES)} arrived`,
      "Something in between cuts large responses. Check the proxy's log and its free disk space.",
    );
  return good(`${toMib(last.bytes)} to the worker and ${toMib(ANSWER_BYTES)} back, in ${last.reply.elapsedMs} ms`);
}

/** Checks whether the largest message that a worker may send passes its WebSocket. */
export function messageSizeCheck(checkup: Checkup): Check {
  return {
    id: "message_size",
    title: "Large messages",
    needs: ["client_key"],
    limitMs: 60_000,
    async run(signal) {
      const worker = await checkup.worker();
      if (!(worker instanceof TemporaryWorker)) return brokenJob(noLink(worker.reason), checkup.target.base);
      worker.sendPadding(MESSAGE_BYTES);
      // Messages on a socket keep their order, so a job that is answered afterwards shows that the message has passed.
      const passed = checkup.canAsk
        ? checkup.askWhole(() => Response.json({}), { signal, timeoutMs: LIMIT_MS })
        : checkup.pause(SETTLE_MS, signal);
      const end = await Promise.race([worker.ended, passed.then(() => undefined)]);
      if (end === undefined && worker.isRegistered)
        return good(`a message of ${toMib(MESSAGE_BYTES)} passes, and the socket stays open`);
      const { code, reason } = end ?? (await worker.ended);
      return bad(
        `a message of ${toMib(MESSAGE_BYTES)} ended the socket: ${reason.slice(0, 120)} (${code})`,
        "Raise the limit on WebSocket messages in front of the server to at least 1 MiB.",
      );
    },
  };
}

function noLink(reason: string): NoReply {
  return { kind: "none", code: `no link: ${reason}`, elapsedMs: 0 };
}

function toMib(bytes: number): string {
  return bytes >= MIB - 1024 ? `${Number((bytes / MIB).toFixed(1))} MiB` : `${Math.round(bytes / 1024)} KiB`;
}
