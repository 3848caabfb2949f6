/** The names of models in the document's examples, by the type that `/v1/models` states. */
export const EXAMPLE_MODELS = {
  chat: "llama3:8b",
  embedding: "bge-m3",
  rerank: "bge-reranker-v2-m3",
  transcription: "whisper-1",
} as const;

/** A model that the server serves. Without a type it may be one for chat. */
export interface ServedModel {
  readonly id: string;
  readonly type?: string | undefined;
}

/**
 * Replaces the example names in the text of a document by the first model of the same type, so that an example can be
 * sent as it stands. A type that no model has keeps its example.
 */
export function nameServedModels(document: string, served: readonly ServedModel[]): string {
  const untyped = served.find((each) => each.type === undefined);
  let text = document;
  for (const [type, example] of Object.entries(EXAMPLE_MODELS)) {
    const model = served.find((each) => each.type === type) ?? (type === "chat" ? untyped : undefined);
    if (model) text = text.replaceAll(JSON.stringify(example), () => JSON.stringify(model.id));
  }
  return text;
}
