import { isRecord, parseJson } from "../json/parse.ts";
import { errorCode } from "../worker/backend.ts";
import { bad, type Check, type Finding, good, skipped, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { type NoReply, probe, type Reply } from "./http-probe.ts";
import { moorageCode, strangeAnswer } from "./speaker.ts";

/** More than the buffers of sockets and streaming proxies, less than a minute on a slow line. */
const FIRST_BYTES = 256 * 1024;
/** How long the writer waits for its first part to arrive before it sends the rest. */
const WAIT_MS = 5000;
const LIMIT_MS = 30_000;

/** The result of a transfer whose writer paused in the middle. */
export interface TransferSeen {
  /** Milliseconds until the reader had something; undefined if that was not before the writer continued. */
  readonly seenAfterMs: number | undefined;
  readonly isWhole: boolean;
}

/** Checks whether an upload is forwarded while it is sent, by a transfer of which the doctor is writer and reader. */
export function uploadCheck(checkup: Checkup): Check {
  return {
    id: "upload",
    title: "Uploads",
    needs: ["health"],
    limitMs: LIMIT_MS,
    async run(signal) {
      if (checkup.holdsAnswers) return skipped('cannot be measured while responses are held back, see "Streaming"');
      const { base, proxy, apiKey, clientKey } = checkup.target;
      const key = apiKey ?? clientKey;
      const made = await probe(`${base}/api/transfer`, { signal, proxy, key, method: "POST" });
      const id = channelId(made);
      if (id === undefined) return noChannel(made, base);
      const seen = await transfer(checkup, `${base}/api/transfer/${id}`, key, signal);
      return typeof seen === "string" ? brokenTransfer(seen) : judgeTransfer(seen);
    },
  };
}

export function judgeTransfer({ seenAfterMs, isWhole }: TransferSeen): Finding {
  if (!isWhole) return brokenTransfer("the reader did not get all of it");
  if (seenAfterMs !== undefined)
    return good(`the first bytes of an upload arrive while it is sent (${seenAfterMs} ms)`);
  return warning(
    "an upload arrives only after all of it has been sent",
    "Make the proxy pass on request bodies as they arrive (nginx: proxy_request_buffering off). Until then, a transfer's writer sees success too early.",
  );
}

async function transfer(
  checkup: Checkup,
  url: string,
  key: string | undefined,
  signal: AbortSignal,
): Promise<TransferSeen | string> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const { proxy } = checkup.target;
  const shared = { headers, signal, proxy, keepalive: false, redirect: "manual" } as const;
  const seen = Promise.withResolvers<number>();
  let startedAt = checkup.elapsed();
  let seenAfterMs: number | undefined;
  const part = new Uint8Array(FIRST_BYTES);
  let parts = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      parts += 1;
      if (parts === 1) {
        startedAt = checkup.elapsed();
        return controller.enqueue(part);
      }
      const at = await Promise.race([seen.promise, checkup.pause(WAIT_MS, signal)]);
      if (typeof at === "number") seenAfterMs = Math.round(at - startedAt);
      controller.enqueue(part);
      controller.close();
    },
  });
  const writing = fetch(url, { ...shared, method: "PUT", body }).then((writer) => {
    if (!writer.ok) throw new Refused(`the writer was answered ${writer.status}`);
  });
  const reading = fetch(url, shared).then(async (reader) => {
    if (!reader.ok) throw new Refused(`the reader was answered ${reader.status}`);
    return receive(reader, () => seen.resolve(checkup.elapsed()));
  });
  try {
    const [received] = await Promise.all([reading, writing]);
    return { seenAfterMs, isWhole: received === 2 * FIRST_BYTES };
  } catch (error) {
    return error instanceof Refused ? error.message : errorCode(error);
  }
}

/** Thrown when one side of a transfer was refused, so that the other side does not keep waiting. */
class Refused extends Error {
  override readonly name = "Refused";
}

async function receive(response: Response, onFirst: () => void): Promise<number> {
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    if (bytes === 0) onFirst();
    bytes += piece.length;
  }
  return bytes;
}

/** Returns the channel's id; anything that is not an id MUST NOT become part of a path. */
function channelId(reply: Reply | NoReply): string | undefined {
  const json = reply.kind === "reply" && reply.status === 200 ? parseJson(reply.text) : undefined;
  const id = isRecord(json) ? json["channel_id"] : undefined;
  return typeof id === "string" && /^[\w-]{1,128}$/.test(id) ? id : undefined;
}

function noChannel(reply: Reply | NoReply, base: string): Finding {
  if (reply.kind === "none") return brokenTransfer(reply.code);
  const code = moorageCode(reply);
  if (code === "unknown_url") return skipped("the server's transfer plugin is off");
  if (code === "invalid_api_key") return skipped("needs API_KEY or CLIENT_KEY, whichever the server accepts");
  return strangeAnswer(reply, base);
}

function brokenTransfer(reason: string): Finding {
  return bad(
    `an upload of 512 KiB broke off: ${reason}`,
    "Check the log of the proxy, and its limits on request bodies.",
  );
}
