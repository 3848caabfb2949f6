import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy } from "@fastify/busboy";

/** A file that was skipped: its start and its length. */
export interface PassedFile {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly start: Uint8Array;
}

export interface PassedForm {
  readonly fields: ReadonlyMap<string, string>;
  /** The part called `file`; undefined without one. */
  readonly file: PassedFile | undefined;
}

/** How much of a file is kept: a recording's header with the notes that it may contain. */
const START_BYTES = 64 * 1024;

/** Reads a form of any size and keeps its fields and the start of its file. Rejects an incomplete or invalid form. */
export async function readForm(request: Request): Promise<PassedForm> {
  const fields = new Map<string, string>();
  let file: PassedFile | undefined;
  const parser = new Busboy({ headers: { "content-type": request.headers.get("content-type") ?? "" } });
  parser.on("field", (name, value) => fields.set(name, value));
  parser.on("file", (field, part, name, _encoding, type) => {
    const pieces: Uint8Array[] = [];
    let size = 0;
    part.on("data", (piece: Uint8Array) => {
      if (size < START_BYTES) pieces.push(piece.slice(0, START_BYTES - size));
      size += piece.length;
    });
    part.on("end", () => {
      if (field === "file") file = { name, type, size, start: Buffer.concat(pieces) };
    });
    // The parser reports the same error.
    part.on("error", () => {});
  });
  if (!request.body) throw new Error("no body");
  // Bun's stream is what node:stream accepts; only their types differ.
  await pipeline(Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]), parser);
  return { fields, file };
}
