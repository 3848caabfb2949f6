// Builds the curl command that does the same as a panel. The key comes from the environment of the shell.

export interface CurlLine {
  readonly url: string;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** The environment variable with the bearer token; undefined where none is needed. */
  readonly bearerVariable?: string | undefined;
  readonly json?: unknown;
  /** `name=value` or `name=@file` for a form. */
  readonly form?: readonly string[];
  readonly file?: string;
  /** Further flags, as they are written. */
  readonly flags?: string;
}

/** Writes a command for a POSIX shell. Every text from elsewhere is quoted. */
export function curlLine({
  url,
  method = "GET",
  headers = [],
  bearerVariable,
  json,
  form = [],
  file,
  flags,
}: CurlLine): string {
  const isPost = json !== undefined || form.length > 0;
  return [
    flags === undefined ? "curl" : `curl ${flags}`,
    method === "GET" || (method === "POST" && isPost) || file !== undefined ? "" : `-X ${method}`,
    quoted(url),
    // In double quotes, so that the shell inserts the key.
    bearerVariable === undefined ? "" : `-H "Authorization: Bearer $${bearerVariable}"`,
    ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    json === undefined ? "" : `-H 'content-type: application/json' -d ${quoted(JSON.stringify(json))}`,
    ...form.map((field) => `-F ${quoted(field)}`),
    file === undefined ? "" : `-T ${quoted(file)}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** Puts a text into single quotes, in which a shell changes nothing. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
