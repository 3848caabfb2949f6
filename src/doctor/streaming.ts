import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { brokenJob } from "./jobs.ts";

const PIECES = 6;
const EVERY_MS = 300;
const LIMIT_MS = 30_000;
/** Pieces that arrive closer together than this count as one burst. */
const TOGETHER_MS = 60;

/** Checks whether an answer that is produced piece by piece arrives piece by piece. */
export function streamingCheck(checkup: Checkup): Check {
  return {
    id: "streaming",
    title: "Streaming",
    needs: ["job"],
    limitMs: LIMIT_MS,
    async run(signal) {
      const sentAt: number[] = [];
      const asked = await checkup.ask((_body, given) => pieces(checkup, sentAt, given), {
        signal,
        stream: true,
        timeoutMs: LIMIT_MS,
      });
      if (asked.kind === "none") return brokenJob(asked, checkup.target.base);
      const { response } = asked;
      const arrivedAt: number[] = [];
      for await (const piece of response.body ?? []) {
        // One chunk may hold several events; all of them have arrived now.
        const events = Buffer.from(piece).toString().split("data: {").length - 1;
        arrivedAt.push(...Array.from({ length: events }, () => checkup.elapsed()));
      }
      const finding = judgeStream(sentAt, arrivedAt, response.headers.get("content-encoding"));
      checkup.holdsAnswers = finding.verdict === "bad";
      return finding;
    },
  };
}

/** Judges the times at which pieces were sent and arrived, in milliseconds of one clock. */
export function judgeStream(
  sentAt: readonly number[],
  arrivedAt: readonly number[],
  encoding: string | null = null,
): Finding {
  if (arrivedAt.length !== sentAt.length)
    return bad(
      `${arrivedAt.length} of ${sentAt.length} pieces of a stream arrived`,
      "Something in between cuts or rewrites event streams. Check the proxy's log.",
    );
  const spread = (times: readonly number[]): number => (times.at(-1) ?? 0) - (times[0] ?? 0);
  const bursts = arrivedAt.filter((time, at) => at === 0 || time - (arrivedAt[at - 1] ?? 0) > TOGETHER_MS).length;
  const latest = Math.max(...arrivedAt.map((time, at) => time - (sentAt[at] ?? 0)));
  const zipped = encoding === null ? "" : `, compressed in transit (${encoding})`;
  const measured = `${sentAt.length} pieces sent over ${toS(spread(sentAt))} s arrived in ${bursts} over ${toS(spread(arrivedAt))} s, ${Math.round(latest)} ms late at most${zipped}`;
  const advice =
    "Make the proxy pass on responses as they arrive (nginx: proxy_buffering off; Caddy: flush_interval -1), and not compress text/event-stream.";
  if (spread(arrivedAt) < spread(sentAt) / 2) return bad(measured, advice);
  return bursts < sentAt.length - 1 ? warning(measured, advice) : good(measured);
}

function toS(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function pieces(checkup: Checkup, sentAt: number[], signal: AbortSignal): Response {
  const events = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (sentAt.length > 0) await checkup.pause(EVERY_MS, signal);
      sentAt.push(checkup.elapsed());
      controller.enqueue(Buffer.from('data: {"choices":[]}\n\n'));
      if (sentAt.length < PIECES && !signal.aborted) return;
      controller.enqueue(Buffer.from("data: [DONE]\n\n"));
      controller.close();
    },
  });
  return new Response(events, { headers: { "content-type": "text/event-stream" } });
}
