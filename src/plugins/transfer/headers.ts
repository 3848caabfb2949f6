/** Longest values that are passed on; a file's name is at most 255 bytes on common systems, percent-encoded three times that. */
const MAX_TYPE_CHARS = 256;
const MAX_DISPOSITION_CHARS = 1024;
/** Visible characters and blanks, and bytes above ASCII, in which some clients write names. */
const SANE = /^[\x20-\x7e\x80-\xff]+$/;

/**
 * What the reader is told of what the writer sends. The writer's words are untrusted: a browser gets the content as a
 * file, whatever it is said to be, and never as a page of this origin.
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
