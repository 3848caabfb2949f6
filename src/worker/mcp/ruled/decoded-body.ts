import type { HeaderPairs } from "../../../wire/heads.ts";
import { FailedCall } from "../../backend.ts";

type Format = ConstructorParameters<typeof DecompressionStream>[0];

/** The encodings of HTTP that can be undone here, with their names in `DecompressionStream`. */
const FORMATS: Readonly<Record<string, Format>> = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  br: "brotli",
  zstd: "zstd",
};

/**
 * Returns a body without its encoding. Servers are asked for none, and some use one all the same. Throws for an encoding
 * that is not known, or for several of them.
 */
export function decodedBody(
  body: Uint8Array | ReadableStream<Uint8Array>,
  headers: HeaderPairs,
): Uint8Array | ReadableStream<Uint8Array> {
  const encodings = headers
    .filter(([name]) => name.toLowerCase() === "content-encoding")
    .flatMap(([, value]) => value.split(","))
    .map((each) => each.trim().toLowerCase())
    .filter((each) => each !== "" && each !== "identity");
  const encoding = encodings[0];
  if (encoding === undefined) return body;
  const format = encodings.length === 1 && Object.hasOwn(FORMATS, encoding) ? FORMATS[encoding] : undefined;
  if (format === undefined) {
    const message = "the MCP server's answer has an encoding that the relay cannot undo to restrict it";
    throw new FailedCall({ code: "upstream_error", message });
  }
  const source = body instanceof ReadableStream ? body : new Blob([body as Uint8Array<ArrayBuffer>]).stream(); // plain memory
  // The type allows any source of bytes to be written, and this one is written views.
  return source.pipeThrough(new DecompressionStream(format) as ReadableWritablePair<Uint8Array, Uint8Array>);
}
