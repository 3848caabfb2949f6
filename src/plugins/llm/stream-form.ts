/** The APIs whose event streams are made of tokens. */
const FORMS = {
  "/chat/completions": "chat",
  "/completions": "completions",
  "/responses": "responses",
  "/messages": "messages",
} as const;

/** The form of an event stream, by which its bytes are read as tokens. */
export type StreamForm = (typeof FORMS)[keyof typeof FORMS];

/** Returns the form of the stream at a path; undefined for a path whose stream is not made of tokens. */
export function streamFormOf(path: string): StreamForm | undefined {
  return Object.hasOwn(FORMS, path) ? FORMS[path as keyof typeof FORMS] : undefined; // it is one of its keys
}
