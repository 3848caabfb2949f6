import { cleanText } from "../wire/clean-text.ts";

/** The most characters of a client's name that are shown and kept. */
const MAX_NAME_CHARS = 80;

/** Makes what a client calls itself fit to be shown. */
export function clientNameOf(said: string): string {
  const clean = cleanText(said).trim();
  const chars = [...clean];
  return chars.length <= MAX_NAME_CHARS ? clean : `${chars.slice(0, MAX_NAME_CHARS - 1).join("")}…`;
}
