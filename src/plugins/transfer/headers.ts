/** Longest value that is passed on. A file name has at most 255 bytes on common systems, and three times that when percent-encoded. */
const MAX_TYPE_CHARS = 256;
const MAX_DISPOSITION_CHARS = 1024;
/** Visible characters, blanks, and bytes above ASCII, which some clients use in names. */
const SANE = /^[\x20-\x7e\x80-\xff]+$/;

/**
 * Returns the headers of the reader's answer, made of the writer's. The writer is not trusted: a browser gets the content as a
 * file, whatever type the writer claims, and never as a page of this origin.
 */
export function toReaderHeaders(writer: Headers, length: number | undefined, requestId: string): Headers {
  const headers = new Headers({
    "content-type": sane(writer.get("content-type"), MAX_TYPE_CHARS) ?? "application/octet-stream",
    "content-disposition": sane(writer.get("content-disposition"), MAX_DISPOSITION_CHARS) ?? "attachment",
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "none",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-request-id": requestId,
  });
  // Bun gives a streamed answer no Content-Length of its own.
  if (length !== undefined) headers.set("x-transfer-length", String(length));
  return headers;
}

function sane(value: string | null, maxChars: number): string | undefined {
  return value !== null && value.length <= maxChars && SANE.test(value) ? value : undefined;
}

/** Returns those of the writer's headers that the reader's server needs, unless they are malformed. */
export function writerHeaders(writer: Headers): readonly (readonly [name: string, value: string])[] {
  const type = sane(writer.get("content-type"), MAX_TYPE_CHARS);
  const disposition = sane(writer.get("content-disposition"), MAX_DISPOSITION_CHARS);
  return [
    ...(type === undefined ? [] : [["content-type", type] as const]),
    ...(disposition === undefined ? [] : [["content-disposition", disposition] as const]),
  ];
}
