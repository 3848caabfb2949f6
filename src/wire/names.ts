import { cleanText } from "./clean-text.ts";

// The rules for names that cross the wire. Both sides apply the same ones, so that neither refuses what the other accepted.

/** The most characters of a worker's or relay's id. */
export const MAX_ID_CHARS = 128;
/**
 * The form of an id. URLs resolve `.` and `..`, so neither can be one. `~` is reserved for `<server>~<id>`, which names a
 * worker of another server.
 */
const ID = /^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/;
/** The rule in words, to follow "must be" or "takes". */
export const ID_FORM = "1 to 128 letters, digits and . _ : @ - (but not . or .. alone)";

/** Returns whether a worker or a relay may have this id. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** The most characters of a model's id: the dashboard shows ids of 300, and OpenAI's fine-tunes stay below 100. */
export const MAX_MODEL_CHARS = 512;
/** The most models that one worker may offer. */
export const MAX_MODELS = 2048;

/**
 * Returns whether a model may have this id: text in any script, without control characters, line separators and marks
 * that reorder text.
 */
export function isModelId(text: string): boolean {
  return text !== "" && text.length <= MAX_MODEL_CHARS && cleanText(text) === text;
}

/** The beginning of the names of the doctor's models. At least 128 random bits in base64url follow. */
export const DOCTOR_MODEL = "moorage-doctor-";

/**
 * Returns whether a model belongs to a run of the doctor. The server serves it like any other, by its name alone, but lists
 * it nowhere and counts it under no name of its own, so that a run leaves nothing behind, however it ends. The name gives
 * its worker nothing: a worker that uses it only hides its model from those who do not know it.
 */
export function isDoctorModel(name: string): boolean {
  return name.startsWith(DOCTOR_MODEL) && /^[\w-]{22,}$/.test(name.slice(DOCTOR_MODEL.length));
}

/** The kind of an exchange that names none: one HTTP request and its response. */
export const HTTP_KIND = "http";
/** The most kinds of exchange that one worker may announce. */
export const MAX_KINDS = 16;
/** The rule for the name of a kind in words, to follow "must be". */
export const KIND_FORM = "1 to 32 lower-case letters, digits and _, the first of them a letter";

/** Returns whether a kind of exchange may have this name. */
export function isExchangeKind(text: string): boolean {
  return /^[a-z][a-z0-9_]{0,31}$/.test(text);
}

/** The most characters of a name, a version and other short text for people. */
export const MAX_TEXT_CHARS = 512;
