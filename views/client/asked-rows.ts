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

/** Adds what the table shows of the caller, of the servers and of the reason for an outcome. */
export function toCallRow(entry: Row): Row {
  const {
    caller,
    relay_caller: named,
    client,
    key,
    address,
    server,
    relay_server: at,
    reason,
    rpc_code: code,
    status,
  } = entry;
  const notes = [
    typeof named === "string" ? ["named by the relay"] : [],
    typeof client === "string" ? [`with ${client}`] : [],
    typeof key === "string" ? [`key ${key}`] : [],
    typeof address === "string" ? [address] : [],
  ].flat();
  const servers = [
    typeof server === "string" ? [`at ${server}`] : [],
    typeof at === "string" ? [`through ${at}`] : [],
  ].flat();
  const isBad = typeof status === "number" && status >= 400;
  const why = reason ?? (typeof code === "number" ? `code ${code}` : isBad ? `status ${status}` : "");
  return { ...entry, caller_text: named ?? caller, caller_notes: notes.join(", "), servers: servers.join(", "), why };
}
