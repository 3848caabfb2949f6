import { count } from "./format.ts";
import type { Row } from "./listing.ts";

// What tables show of entries that the server lists. All functions are pure.

/** Adds what the table shows of the tokens. */
export function toPastJobRow(entry: Row): Row {
  const { input_tokens: input, cached_tokens: cached, output_tokens: output, audio_seconds: audio, estimated } = entry;
  const tokens = [
    typeof input === "number" ? [`${count(input)} in`] : [],
    typeof output === "number" ? [`${count(output)} out`] : [],
    typeof audio === "number" && audio > 0 ? [`${Math.round(audio)} s audio`] : [],
  ].flat();
  const notes = [
    typeof cached === "number" && cached > 0 ? [`${count(cached)} cached`] : [],
    estimated === true && tokens.length > 0 ? ["estimated"] : [],
  ].flat();
  return { ...entry, tokens_text: tokens.join(", ") || "–", notes: notes.join(", ") };
}

/** Adds the details of an entry in one line: `name ada, fields limits.parallel`. */
export function toAuditRow(entry: Row): Row {
  const { detail } = entry;
  const details = typeof detail === "object" && detail !== null ? Object.entries(detail) : [];
  const written = details.filter(([, value]) => value !== null && value !== "");
  return { ...entry, detail_text: written.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ") };
}
