/** The forms of an answer that a client takes. */
export interface Accepted {
  readonly json: boolean;
  readonly events: boolean;
}

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";

/** Reads an `Accept` header (RFC 9110 §12.5.1). Without one every form is accepted; ranges such as `text/*` count. */
export function parseAccept(header: string | null): Accepted {
  if (header === null) return { json: true, events: true };
  const ranges = header.split(",").flatMap((each) => {
    const [range = "", ...parameters] = each.split(";").map((part) => part.trim().toLowerCase());
    return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [range];
  });
  const takes = (type: string): boolean =>
    ranges.some((range) => range === type || range === "*/*" || range === type.replace(/\/.*/, "/*"));
  return { json: takes(JSON_TYPE), events: takes(EVENTS_TYPE) };
}

/** Returns the header with both forms spelled out, because the SDK's transport does not know ranges. */
export function spellOutAccept(header: string | null): string {
  const { json, events } = parseAccept(header);
  return [...(json ? [JSON_TYPE] : []), ...(events ? [EVENTS_TYPE] : [])].join(", ");
}
