import { isRecord } from "../../json/parse.ts";
import { membersOf, type Range } from "../../json/scan.ts";
import type { BodyEdit } from "../../wire/heads.ts";
import type { LlmRequest } from "./request.ts";

const OPTIONS = "stream_options";
const ASKED = '"include_usage":true';

/** The routes whose streams state their usage only if the request asks for it. */
const ASKABLE: ReadonlySet<string> = new Set(["/chat/completions", "/completions"]);

/**
 * Whether a request is for a stream that would state its usage if it were asked to, which the client has not done. Such a
 * request may ask in the client's place.
 */
export function mayAskForUsage(path: string, { stream, value }: LlmRequest): boolean {
  if (!stream || !ASKABLE.has(path) || hasOptionsInAnotherCase(value)) return false;
  const options = value[OPTIONS];
  if (options === undefined || options === null) return true;
  if (!isRecord(options)) return false;
  // With it, vLLM would state the usage in every event, as soon as it is asked for any.
  if (options["continuous_usage_stats"] === true) return false;
  const asked = options["include_usage"];
  return asked === undefined || asked === null || asked === false;
}

/** Whether the options have a name in another case. Backends in Go read it, so the client may have asked already. */
function hasOptionsInAnotherCase(value: Readonly<Record<string, unknown>>): boolean {
  for (const name of Object.keys(value))
    if (name.length === OPTIONS.length && name !== OPTIONS && name.toLowerCase() === OPTIONS) return true;
  return false;
}

/** Returns the change that makes a request's body ask for the usage. MUST be called for requests of `mayAskForUsage` only. */
export function askForUsage(body: Uint8Array, { value }: LlmRequest): BodyEdit | undefined {
  // Nearly no request has options, so its body need not be scanned.
  if (value[OPTIONS] === undefined) return insertion(body.indexOf(OPEN_OBJECT) + 1, `"${OPTIONS}":{${ASKED}},`);
  const options = membersOf(body)?.get(OPTIONS);
  if (!options) return undefined;
  if (value[OPTIONS] === null) return replacement(options, `{${ASKED}}`);
  const members = membersOf(body, options.start);
  const asked = members?.get("include_usage");
  if (asked) return replacement(asked, "true");
  return insertion(options.start + 1, members?.size === 0 ? ASKED : `${ASKED},`);
}

const OPEN_OBJECT = 0x7b;

function insertion(at: number, text: string): BodyEdit {
  return { at, end: at, text };
}

function replacement({ start, end }: Range, text: string): BodyEdit {
  return { at: start, end, text };
}
