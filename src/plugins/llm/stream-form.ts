import type { OutputForm } from "../../pool/job-spec.ts";

/** The API of an event stream that is made of tokens. */
export type StreamApi = "chat" | "completions" | "responses" | "messages";

/** The form of such a stream, by which its bytes are read as tokens. */
export interface StreamForm extends OutputForm {
  readonly name: StreamApi;
}

/**
 * The forms by path. A token takes about so many bytes: measured with llama.cpp, whose events are as long as those of most
 * servers. Ids and names of models in each event make the difference.
 */
const FORMS: ReadonlyMap<string, StreamForm> = new Map([
  ["/chat/completions", { name: "chat", bytesPerUnit: 220 }],
  ["/completions", { name: "completions", bytesPerUnit: 220 }],
  ["/responses", { name: "responses", bytesPerUnit: 190 }],
  ["/messages", { name: "messages", bytesPerUnit: 130 }],
]);

/** Returns the form of the stream at a path; undefined for a path whose stream is not made of tokens. */
export function streamFormOf(path: string): StreamForm | undefined {
  return FORMS.get(path);
}
