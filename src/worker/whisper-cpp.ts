import { type AskOptions, ask } from "./ask.ts";
import type { Probe } from "./discover.ts";
import { FIXED_MEMORY } from "./loaded-models.ts";

/** The id of its one model, which has no name of its own: OpenAI's first model for this task, and the default of clients. */
const MODEL = "whisper-1";

/** Returns whether the header `server` is that of whisper.cpp's `whisper-server`, which every answer of it has. */
export function isWhisperCpp(server: string): boolean {
  return /^whisper\.cpp\b/i.test(server);
}

/**
 * Finds the path at which a `whisper-server` accepts audio: `/inference`, unless its operator chose another one. It answers
 * OPTIONS at that path and nowhere else. Never rejects.
 */
export async function probeWhisperCpp(base: string, options: AskOptions): Promise<Probe> {
  for (const url of toCandidates(base)) {
    const answer = await ask(url, options, "OPTIONS");
    if (answer.kind === "silent") return { ...answer, base };
    if (answer.status >= 200 && answer.status < 300 && isWhisperCpp(answer.server)) return found(base, url);
  }
  const reason = "is whisper.cpp, but accepts audio at none of the usual paths: give its full path with --backend";
  return { kind: "no_list", base, reason, server: "whisper.cpp" };
}

function found(base: string, url: string): Probe {
  const paths = {
    urls: new Map([["/audio/transcriptions", url]]),
    otherwise:
      "This worker's model server, whisper.cpp, accepts audio only at /v1/audio/transcriptions. To translate it to English, " +
      "send it there with the form field translate=true.",
    noStream:
      "This worker's model server, whisper.cpp, cannot stream a transcription. Send the request without the form field stream.",
  };
  const backend = { base, family: "whispercpp", version: undefined, models: [MODEL], info: [], slots: undefined };
  return { kind: "found", backend: { ...backend, listsModels: false, paths, ...FIXED_MEMORY } };
}

/**
 * Returns the URLs to try: first under the base as for any server, then its default paths, then the operator's URL
 * itself.
 */
function toCandidates(base: string): readonly string[] {
  const { origin, pathname } = new URL(base);
  const urls = [base, `${origin}/v1`, origin].flatMap((root) => [`${root}/audio/transcriptions`, `${root}/inference`]);
  return [...new Set(pathname === "/" ? urls : [...urls, base])];
}
