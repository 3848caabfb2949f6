// Which models fit which panel. The kind of a model is what its workers say of it, and a guess by its name where they say nothing.

export interface ModelRow {
  readonly name: string;
  /** `chat`, `embedding` and the like; null where nobody says. */
  readonly type: string | null;
  /** What it takes: `text`, `image`. Null, or absent, where nobody says. */
  readonly input_modalities?: readonly string[] | null;
}

const EMBEDDING = /embed|\bbge|\bgte|minilm|\be5[-_]/i;
/** Models that answer no chat either. */
const OTHER = /rerank|whisper|\btts\b/i;
/** Models that can look at pictures, by the names under which they are usually served. */
const VISION =
  /vision|llava|bakllava|moondream|minicpm-?v|pixtral|gemma-?3|gemma3n|internvl|molmo|smolvlm|qwen[\d.]*-?(?:vl|omni)|[-_]vl\b|gpt-4o|llama-?4|mistral-small-?3\.[12]|granite[\d.-]*vision/i;

/** Models that hear, by the names under which they are usually served. */
const SPEECH = /whisper|transcri|parakeet|canary|voxtral|moonshine|wav2vec|sensevoice|\basr\b|\bstt\b/i;

/** Returns the model that most likely hears, of those of a worker for speech, which may list others too. */
export function hearingModel(names: readonly string[]): string {
  return names.find((name) => SPEECH.test(name)) ?? names[0] ?? "";
}

/** Whether a model makes vectors, and answers no chat. */
export function isEmbedding(name: string, models: readonly ModelRow[]): boolean {
  const type = models.find((each) => each.name === name)?.type ?? null;
  return type === null ? EMBEDDING.test(name) : type === "embedding";
}

/** The models that answer chats. */
export function chatModels<Row extends ModelRow>(models: readonly Row[]): readonly Row[] {
  return models.filter(({ name, type }) =>
    type === null ? !EMBEDDING.test(name) && !OTHER.test(name) : type === "chat",
  );
}

/** The models that make vectors. */
export function embeddingModels<Row extends ModelRow>(models: readonly Row[]): readonly Row[] {
  return models.filter(({ name }) => isEmbedding(name, models));
}

/** Whether a model understands pictures, as its workers say, or probably does by its name. */
export function seesPictures(name: string, models: readonly ModelRow[]): boolean {
  const told = models.find((each) => each.name === name)?.input_modalities;
  return told ? told.includes("image") : VISION.test(name);
}
