// The curl line that does what a panel does: copied into a shell it works there, with the key from the environment.

export interface CurlLine {
  readonly url: string;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Name of the environment variable that holds the bearer; left out where none is needed. */
  readonly bearerVariable?: string | undefined;
  readonly json?: unknown;
  /** `name=value` or `name=@file` for a form. */
  readonly form?: readonly string[];
  readonly file?: string;
  /** More flags, as they are written. */
  readonly flags?: string;
}

/** A line for a POSIX shell. Everything that is not ours is quoted. */
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
    // Double quotes: the shell shall put the key in.
    bearerVariable === undefined ? "" : `-H "Authorization: Bearer $${bearerVariable}"`,
    ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    json === undefined ? "" : `-H 'content-type: application/json' -d ${quoted(JSON.stringify(json))}`,
    ...form.map((field) => `-F ${quoted(field)}`),
    file === undefined ? "" : `-T ${quoted(file)}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** Single quotes, in which a shell leaves everything as it is. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
