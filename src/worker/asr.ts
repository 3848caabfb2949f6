import { ask } from "./ask.ts";
import { formCurl } from "./curl.ts";
import { type Probe, type ProbeOptions, probeBackend } from "./discover.ts";
import { type Kind, modelRegister } from "./kind.ts";
import { isWhisperCpp, probeWhisperCpp } from "./whisper-cpp.ts";

/** The name of this task at servers that list models for several: Hugging Face's term. */
const TASK = "automatic-speech-recognition";

/** Speech to text, behind an API in OpenAI's style or behind whisper.cpp's own. */
export const asrKind: Kind = {
  name: "asr",
  places: [
    { label: "speaches or vLLM", base: "http://127.0.0.1:8000/v1" },
    { label: "whisper.cpp", base: "http://127.0.0.1:8080" },
  ],
  // Hours of audio are transcribed in silence; a day is the longest wait that a server can be set to.
  silenceMs: 24 * 60 * 60_000,
  register: modelRegister,
  probe: probeTranscriber,
  curlLine: (server, model) =>
    formCurl(`${server}/v1/audio/transcriptions`, [
      ["file", "@speech.wav"],
      ["model", model],
    ]),
};

async function probeTranscriber(base: string, options: ProbeOptions): Promise<Probe> {
  const probe = await probeBackend(base, options, TASK);
  if (probe.kind === "no_list" && isWhisperCpp(probe.server)) return probeWhisperCpp(base, options);
  if (probe.kind !== "found" || !options.isGuess) return probe;
  // Servers for language models use the same ports; they list models too, but do not have this path.
  const url = `${probe.backend.base}/audio/transcriptions`;
  const answer = await ask(url, options);
  if (answer.kind === "silent") return { ...answer, base };
  if (answer.status !== 404) return probe;
  return { kind: "no_list", base, reason: `answers 404 at ${url}`, server: answer.server };
}
