import { type AskOptions, ask } from "./ask.ts";
import type { Probe } from "./discover.ts";

/** It has one model, which it gives no name; OpenAI's first one for this is what clients send when nobody tells them. */
const MODEL = "whisper-1";

/** Whether the header `server` is that of whisper.cpp's `whisper-server`, which signs every answer with it. */
export function isWhisperCpp(server: string): boolean {
  return /^whisper\.cpp\b/i.test(server);
}

/**
 * Finds the path at which a `whisper-server` takes audio: `/inference` unless its operator chose another one. It answers
 * OPTIONS at that path and nowhere else. Never throws.
 */
export async function probeWhisperCpp(base: string, options: AskOptions): Promise<Probe> {
  for (const url of toCandidates(base)) {
    const answer = await ask(url, options, "OPTIONS");
    if (answer.kind === "silent") return { ...answer, base };
    if (answer.status >= 200 && answer.status < 300 && isWhisperCpp(answer.server)) return found(base, url);
  }
  const reason = "is whisper.cpp, but takes audio at none of the usual paths: name its path with --backend";
  return { kind: "no_list", base, reason, server: "whisper.cpp" };
}

function found(base: string, url: string): Probe {
  const paths = {
    urls: new Map([["/audio/transcriptions", url]]),
    otherwise:
      "The model server of this worker, whisper.cpp, takes audio for transcriptions only. It translates to English there " +
      "too: send the file to /v1/audio/transcriptions with the form field translate=true.",
  };
  const backend = { base, family: "whispercpp", version: undefined, models: [MODEL], listsModels: false, paths };
  return { kind: "found", backend };
}

/** Under the base first, as for every other server; then where it stands by itself, and last what the operator wrote. */
function toCandidates(base: string): readonly string[] {
  const { origin, pathname } = new URL(base);
  const urls = [base, `${origin}/v1`, origin].flatMap((root) => [`${root}/audio/transcriptions`, `${root}/inference`]);
  return [...new Set(pathname === "/" ? urls : [...urls, base])];
}
