import { errorCode } from "../worker/backend.ts";
import { bad, type Check, type Finding, good, skipped } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { type NoReply, type Reply, send } from "./http-probe.ts";
import { brokenJob } from "./jobs.ts";
import { moorageCode, speakerName } from "./speaker.ts";
import { TemporaryWorker } from "./temporary-worker.ts";

/** The time that a check has in addition to holding its connection. */
const ROOM_MS = 20_000;

/** Checks whether connections survive while little or nothing passes. All are held at the same time. */
export function idleChecks(checkup: Checkup): readonly Check[] {
  const { idleMs } = checkup.target;
  const limitMs = idleMs + ROOM_MS;
  const unlessOff =
    (run: (signal: AbortSignal) => Promise<Finding>) =>
    (signal: AbortSignal): Promise<Finding> =>
      idleMs === 0 ? Promise.resolve(skipped("--idle is 0")) : run(signal);
  return [
    {
      id: "quiet_socket",
      title: "Quiet socket",
      needs: ["client_key"],
      limitMs,
      run: unlessOff((signal) => holdSocket(checkup, signal)),
    },
    {
      id: "long_stream",
      title: "Long stream",
      needs: ["api_key"],
      limitMs,
      run: unlessOff((signal) => holdStream(checkup, signal)),
    },
    {
      id: "slow_answer",
      title: "Slow answer",
      needs: ["job"],
      limitMs,
      run: unlessOff((signal) => holdAnswer(checkup, signal)),
    },
  ];
}

async function holdSocket(checkup: Checkup, signal: AbortSignal): Promise<Finding> {
  const worker = await checkup.worker();
  if (!(worker instanceof TemporaryWorker))
    return brokenJob({ kind: "none", code: `no link: ${worker.reason}`, elapsedMs: 0 }, checkup.target.base);
  const startedAt = checkup.elapsed();
  const end = await Promise.race([worker.ended, checkup.pause(checkup.target.idleMs, signal)]);
  const seconds = toS(checkup.elapsed() - startedAt);
  if (end === undefined) return good(`a worker's socket stayed open for ${seconds} s with nothing but pings`);
  if (end.retryAfterMs !== undefined)
    return bad(
      `the server closed it after ${seconds} s: it is shutting down`,
      "Try again once another server has taken its place.",
    );
  return bad(
    `a worker's socket was cut after ${seconds} s: ${end.reason.slice(0, 120)} (${end.code})`,
    "Allow WebSockets to be quiet for longer than PING_INTERVAL (15 s) in the proxy or firewall; an hour is better (nginx: proxy_read_timeout 1h).",
  );
}

async function holdStream(checkup: Checkup, signal: AbortSignal): Promise<Finding> {
  const { base, proxy, stateKey, idleMs } = checkup.target;
  const startedAt = checkup.elapsed();
  const hold = new AbortController();
  void checkup.pause(idleMs, signal).then(() => hold.abort());
  const seen: StreamSeen = { status: undefined, chunks: 0, longestMs: 0, heldMs: 0, end: "it ended" };
  let lastAt = startedAt;
  const look = (): void => {
    const now = checkup.elapsed();
    seen.longestMs = Math.max(seen.longestMs, now - lastAt);
    seen.heldMs = now - startedAt;
    lastAt = now;
  };
  try {
    const response = await send(`${base}/api/state/stream`, {
      signal: AbortSignal.any([signal, hold.signal]),
      proxy,
      key: stateKey,
      timeoutMs: idleMs + ROOM_MS,
    });
    seen.status = response.status;
    for await (const _ of response.body ?? []) {
      seen.chunks += 1;
      look();
    }
  } catch (error) {
    seen.end = hold.signal.aborted ? undefined : errorCode(error);
  }
  look();
  return judgeLongStream(seen);
}

/** Observations of an event stream. */
export interface StreamSeen {
  /** Undefined if not even a head arrived. */
  status: number | undefined;
  chunks: number;
  /** The longest time without a chunk. */
  longestMs: number;
  heldMs: number;
  /** Why the stream ended; undefined if the doctor ended it. */
  end: string | undefined;
}

export function judgeLongStream({ status, chunks, longestMs, heldMs, end }: StreamSeen): Finding {
  const held = `${toS(heldMs)} s`;
  if (status === 401) return skipped("needs a valid ADMIN_KEY: the server shows its state to operators only");
  if (status !== undefined && status !== 200) return bad(`an event stream got status ${status}`, STREAM_ADVICE);
  if (end !== undefined) return bad(`an event stream was cut after ${held}: ${end}`, STREAM_ADVICE);
  if (chunks === 0) return bad(`no event of a stream arrived within ${held}`, STREAM_ADVICE);
  return good(`an event stream stayed open for ${held}, silent for at most ${toS(longestMs)} s`);
}

const STREAM_ADVICE =
  "Make the proxy neither buffer nor end event streams. They carry something at least every 15 s (KEEPALIVE_INTERVAL).";

async function holdAnswer(checkup: Checkup, signal: AbortSignal): Promise<Finding> {
  const { idleMs, base } = checkup.target;
  const reply = await checkup.askWhole(
    async (_body, given) => {
      await checkup.pause(idleMs, given);
      return Response.json({ object: "chat.completion", choices: [] });
    },
    { signal, timeoutMs: idleMs + ROOM_MS },
  );
  return judgeSlowAnswer(reply, idleMs, base);
}

export function judgeSlowAnswer(reply: Reply | NoReply, idleMs: number, base: string): Finding {
  const seconds = toS(reply.elapsedMs);
  if (reply.kind === "none") {
    if (reply.code.startsWith("no link")) return brokenJob(reply, base);
    return bad(`a response that takes ${toS(idleMs)} s was cut after ${seconds} s: ${reply.code}`, SLOW_ADVICE);
  }
  if (reply.status === 200) return good(`a response that was silent for ${toS(idleMs)} s arrived`);
  if (moorageCode(reply) === "upstream_timeout")
    return bad(
      `the server gave up a job that was silent for ${seconds} s`,
      "Raise REQUEST_TIMEOUT_WHOLE on the server, unless this is intended.",
    );
  if (moorageCode(reply) !== undefined) return brokenJob(reply, base);
  return bad(
    `${speakerName(reply)} gave up waiting for a response after ${seconds} s, with ${reply.status}`,
    SLOW_ADVICE,
  );
}

const SLOW_ADVICE =
  "An ordinary response is silent until the model is done. Make the proxy wait for REQUEST_TIMEOUT_WHOLE or longer (nginx: proxy_read_timeout 1h). If it cannot, clients should ask for streams.";

function toS(ms: number): string {
  return (ms / 1000).toFixed(1);
}
