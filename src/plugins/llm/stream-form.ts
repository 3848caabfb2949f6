import type { OutputForm } from "../../pool/job-spec.ts";

/** The API of an event stream that is made of tokens. */
export type StreamApi = "chat" | "completions" | "responses" | "messages";

/** The form of such a stream, by which its bytes are read as tokens. */
export interface StreamForm extends OutputForm {
  readonly name: StreamApi;
}

/** The forms by path, with the bytes that a token takes in a stream of 300 tokens from llama.cpp. */
const FORMS: ReadonlyMap<string, StreamForm> = new Map([
  ["/chat/completions", { name: "chat", bytesPerUnit: 240 }],
  ["/completions", { name: "completions", bytesPerUnit: 236 }],
  ["/responses", { name: "responses", bytesPerUnit: 173 }],
  ["/messages", { name: "messages", bytesPerUnit: 123 }],
]);

/** Returns the form of the stream at a path; undefined for a path whose stream is not made of tokens. */
export function streamFormOf(path: string): StreamForm | undefined {
  return FORMS.get(path);
}
