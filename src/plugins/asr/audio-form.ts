import type { FormSpec } from "../../upload/form.ts";

/** The form of OpenAI's audio routes. */
export const AUDIO_FORM: FormSpec = {
  awaited: "model",
  awaitedUse: "names the model; GET /v1/models lists them",
  content: "the audio",
  sampleFile: "speech.wav",
};
