import type { ModelInfo } from "../wire/model-info.ts";
import { ask } from "./ask.ts";
import { formCurl } from "./curl.ts";
import { type Probe, type ProbeOptions, probeBackend } from "./discover.ts";
import { type Kind, modelRegister } from "./kind.ts";
import { isWhisperCpp, probeWhisperCpp } from "./whisper-cpp.ts";

/** The name of this task at servers that list models for several: Hugging Face's term. */
const TASK = "automatic-speech-recognition";

/** The reason not to use a server that was found, but whose models do not transcribe. */
const NO_TRANSCRIBER = "lists no model that transcribes; to use one all the same, name the server with --backend";

/** Speech to text, behind an API in OpenAI's style or behind whisper.cpp's own. */
export const asrKind: Kind = {
  name: "asr",
  places: [
    { label: "speaches or vLLM", base: "http://127.0.0.1:8000/v1" },
    { label: "whisper.cpp or llama.cpp", base: "http://127.0.0.1:8080" },
    { label: "llama.cpp", base: "http://127.0.0.1:9931/v1" },
    { label: "Ollama", base: "http://127.0.0.1:11434/v1" },
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
  if (probe.kind !== "found") return probe;
  const { backend } = probe;
  const models = backend.models.filter((model) => mayTranscribe(model, backend.info, options.isGuess));
  if (!options.isGuess) return { kind: "found", backend: { ...backend, models } };
  const noList = (reason: string): Probe => ({ kind: "no_list", base, reason, server: "" });
  if (models.length === 0) return noList(NO_TRANSCRIBER);
  // Servers for language models use the same ports; they list models too, but do not take audio. Nothing is sent to this one
  // that it could work on: a server that has the path asks for the form.
  const url = `${backend.base}/audio/transcriptions`;
  const answer = await ask(url, options, "POST");
  if (answer.kind === "silent") return { ...answer, base };
  if (NO_SUCH_ROUTE.has(answer.status)) return noList(`answers ${answer.status} at ${url}`);
  return { kind: "found", backend: { ...backend, models } };
}

const NO_SUCH_ROUTE: ReadonlySet<number> = new Set([404, 405, 501]);

/** Families of transcribers, whose names say what they are. */
const TRANSCRIBER =
  /whisper|parakeet|canary|voxtral|moonshine|wav2vec|sensevoice|paraformer|kyutai\/stt|granite-speech|(?:^|[^a-z])(?:asr|stt)(?:[^a-z]|$)|transcri/i;

/**
 * Returns whether a model may transcribe audio, by what its server says of it. Of a model of which the server says nothing,
 * the operator's word counts; on a server that was only found, its name does.
 */
function mayTranscribe(model: string, infos: readonly ModelInfo[], isGuess: boolean): boolean {
  const info = infos.find(({ id }) => id === model);
  const { type, input_modalities } = info ?? {};
  if (type === "transcription" || input_modalities?.includes("audio")) return true;
  if (type || input_modalities) return false;
  return !isGuess || TRANSCRIBER.test(model);
}
