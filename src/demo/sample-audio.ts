import { type PassedFile, readForm } from "./read-form.ts";
import { Refusal, unknownModel } from "./refusal.ts";
import { readWav } from "./wav.ts";

const FORMATS = ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"] as const;
export type AudioFormat = (typeof FORMATS)[number];

/** A client's request to the transcriber. */
export interface AudioRequest {
  readonly file: PassedFile;
  readonly format: AudioFormat;
  readonly isStream: boolean;
}

/** The transcriber's text, which replaces what was spoken. */
export interface Transcript {
  readonly sentences: readonly string[];
  readonly text: string;
  /** Undefined if only a decoder could determine it. */
  readonly seconds: number | undefined;
}

/** The longest part of a file's name or type that is repeated, since clients choose them. */
const MAX_ECHO_CHARS = 100;

/** Reads the form. Throws `Refusal` with the field's name if it cannot be served. */
export async function readAudioRequest(request: Request, model: string): Promise<AudioRequest> {
  const { fields, file } = await readForm(request).catch(() => {
    throw new Refusal(400, "invalid_request", "The request body is not a multipart form.");
  });
  if (!file) throw missing("file");
  const asked = fields.get("model") ?? "";
  if (asked === "") throw missing("model");
  if (asked !== model) throw unknownModel(asked, model);
  const wanted = fields.get("response_format") ?? "json";
  const format = FORMATS.find((each) => each === wanted);
  if (!format) {
    const message = `The sample does not support this response_format; it supports ${FORMATS.join(", ")}.`;
    throw new Refusal(400, "invalid_value", message, "response_format");
  }
  return { file, format, isStream: fields.get("stream") === "true" };
}

/** States that it is a sample and describes the upload, so that nobody takes it for a real transcriber. */
export function toTranscript(file: PassedFile): Transcript {
  const wav = readWav(file.start, file.size);
  const name = file.name.slice(0, MAX_ECHO_CHARS);
  const type = file.type.slice(0, MAX_ECHO_CHARS) || "unknown type";
  const held = wav
    ? `contains ${wav.seconds.toFixed(1)} seconds of audio at ${wav.sampleRate} Hz in ${wav.channels} ${wav.channels === 1 ? "channel" : "channels"}.`
    : `has ${file.size} bytes of ${type} and is not an uncompressed WAV file, so its duration is unknown.`;
  const sentences = ["This is Moorage's sample transcriber; it ignores the audio.", `The file ${name} ${held}`];
  return { sentences, text: sentences.join(" "), seconds: wav?.seconds };
}

function missing(field: string): Refusal {
  return new Refusal(400, "missing_required_parameter", `The form has no usable field '${field}'.`, field);
}
