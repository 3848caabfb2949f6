import type { Range } from "./scan.ts";

/** A part of JSON bytes, and the JSON text that takes its place. */
export interface Splice extends Range {
  readonly text: string;
}

/** Returns a copy of JSON bytes with other values in some places, which MUST NOT overlap. All other bytes stay as they are. */
export function spliced(bytes: Uint8Array, splices: readonly Splice[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, text } of splices.toSorted((one, other) => one.start - other.start)) {
    pieces.push(bytes.subarray(from, start), Buffer.from(text));
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}
