import { countNumbers } from "../../json/numbers.ts";
import { isRecord, parseJson } from "../../json/parse.ts";
import { itemsOf, membersOf, type Range } from "../../json/scan.ts";
import type { Encoding } from "./embedding-input.ts";

/** A worker's answer to one part. */
export interface PartAnswer {
  readonly offset: number;
  readonly count: number;
  readonly body: Uint8Array;
}

export interface MergePorts {
  /** Milliseconds that only go forward. */
  readonly elapsed: () => number;
  /** Resolves after everything that is waiting has had its turn. */
  readonly pause: () => Promise<void>;
}

export type Merged =
  | { readonly ok: true; readonly pieces: readonly Uint8Array[]; readonly inputTokens: number }
  /** The fault of a backend's answer, for the log and the client. */
  | { readonly ok: false; readonly reason: string };

/** Longest work without a pause. Other streams wait no longer than this and one item, which takes a fraction of a millisecond. */
const STRETCH_MS = 4;

/** One item of the answer's `data`, as bytes. */
interface Item {
  readonly pieces: readonly Uint8Array[];
  readonly dimensions: number;
}

/**
 * Merges many answers into one: items in the order of the inputs with a continuous `index`, in the encoding that the client
 * asked for (converted where a backend used another), with equal dimensions and the sum of usage. The bytes of vectors are
 * copied, not written again. Results in exactly `count` items, or in a reason. Pauses every few milliseconds.
 */
export async function mergeEmbeddings(
  parts: readonly PartAnswer[],
  count: number,
  encoding: Encoding,
  ports: MergePorts,
): Promise<Merged> {
  const items: (Item | undefined)[] = new Array(count).fill(undefined);
  const usage = new Map<string, number>();
  let model: Uint8Array | undefined;
  let dimensions: number | undefined;
  /** A single answer that is right is passed on unchanged, with everything else that it contains. */
  let isUntouched = true;
  let stretchEndsAt = ports.elapsed() + STRETCH_MS;
  const breathe = async (): Promise<void> => {
    if (ports.elapsed() < stretchEndsAt) return;
    await ports.pause();
    stretchEndsAt = ports.elapsed() + STRETCH_MS;
  };

  for (const part of parts) {
    const members = membersOf(part.body);
    const data = members?.get("data");
    if (!members || !data) return { ok: false, reason: "an embeddings answer without `data`" };
    await breathe();
    let seen = 0;
    for (const range of itemsOf(part.body, data.start)) {
      const read = range && readItem(part.body, range, seen, part.offset, encoding);
      if (!read) return { ok: false, reason: "an item of `data` that is no embedding" };
      if (read.local >= part.count) return { ok: false, reason: `more embeddings than the ${part.count} inputs` };
      if (items[part.offset + read.local]) return { ok: false, reason: "two embeddings with the same index" };
      dimensions ??= read.item.dimensions;
      if (read.item.dimensions !== dimensions) return { ok: false, reason: "embeddings of different dimensions" };
      items[part.offset + read.local] = read.item;
      isUntouched &&= read.isUntouched && read.local === seen;
      seen += 1;
      await breathe();
    }
    if (seen !== part.count) return { ok: false, reason: `${seen} embeddings for ${part.count} inputs` };
    model ??= slice(part.body, members.get("model"));
    addUsage(usage, slice(part.body, members.get("usage")));
  }

  const inputTokens = usage.get("prompt_tokens") ?? 0;
  const only = parts[0];
  if (only && parts.length === 1 && isUntouched) return { ok: true, pieces: [only.body], inputTokens };
  const pieces: Uint8Array[] = [text('{"object":"list","data":[')];
  for (const [at, item] of items.entries()) {
    if (!item) return { ok: false, reason: `no embedding for input ${at}` };
    if (at > 0) pieces.push(COMMA);
    pieces.push(...item.pieces);
  }
  pieces.push(text("]"));
  if (model) pieces.push(text(',"model":'), model);
  if (usage.size > 0) pieces.push(text(`,"usage":${JSON.stringify(Object.fromEntries(usage))}`));
  pieces.push(text("}"));
  return { ok: true, pieces, inputTokens };
}

const COMMA = text(",");

/** Reads one item and gives it its index in the request. Returns undefined for anything other than an embedding. */
function readItem(
  body: Uint8Array,
  range: Range,
  arrival: number,
  offset: number,
  encoding: Encoding,
): { readonly local: number; readonly item: Item; readonly isUntouched: boolean } | undefined {
  const members = membersOf(body, range.start);
  const embedding = members?.get("embedding");
  if (!members || !embedding) return undefined;
  const vector = readVector(body, embedding, encoding);
  if (!vector) return undefined;
  const index = members.get("index");
  const local = index ? toIndex(body, index) : arrival;
  if (local === undefined) return undefined;
  // Everything around the two values that may change is copied unchanged.
  const changes = [{ range: embedding, bytes: vector.bytes }];
  if (index) changes.push({ range: index, bytes: text(String(offset + local)) });
  changes.sort((a, b) => a.range.start - b.range.start);
  const pieces: Uint8Array[] = [];
  let at = range.start;
  if (!index) {
    pieces.push(text(`{"index":${offset + local},`));
    at = body.indexOf(0x7b, at) + 1;
  }
  for (const change of changes) {
    pieces.push(body.subarray(at, change.range.start), change.bytes);
    at = change.range.end;
  }
  pieces.push(body.subarray(at, range.end));
  const isUntouched = index !== undefined && offset === 0 && vector.isUntouched;
  return { local, item: { pieces, dimensions: vector.dimensions }, isUntouched };
}

/** Reads a vector in the wanted encoding: its own bytes if they are in that encoding and valid. */
function readVector(
  body: Uint8Array,
  range: Range,
  encoding: Encoding,
): { readonly bytes: Uint8Array; readonly dimensions: number; readonly isUntouched: boolean } | undefined {
  const raw = body.subarray(range.start, range.end);
  if (encoding === "float") {
    const dimensions = countNumbers(body, range.start, range.end);
    if (dimensions !== undefined) return { bytes: raw, dimensions, isUntouched: true };
  }
  const value = parseJson(new TextDecoder().decode(raw));
  if (typeof value === "string") {
    const bytes = decodeBase64(value);
    if (!bytes || bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
    if (encoding === "base64") return { bytes: raw, dimensions: bytes.length / 4, isUntouched: true };
    const floats = Array.from(toFloats(bytes));
    return floats.every(Number.isFinite)
      ? { bytes: text(JSON.stringify(floats)), dimensions: floats.length, isUntouched: false }
      : undefined;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every(Number.isFinite)) return undefined;
  if (encoding === "float") return { bytes: raw, dimensions: value.length, isUntouched: true };
  const floats = Float32Array.from(value);
  return {
    bytes: text(`"${Buffer.from(floats.buffer).toString("base64")}"`),
    dimensions: value.length,
    isUntouched: false,
  };
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function decodeBase64(value: string): Buffer | undefined {
  return value.length % 4 === 0 && BASE64.test(value) ? Buffer.from(value, "base64") : undefined;
}

/** Reads little-endian floats, as the SDKs do. Every machine that Bun runs on stores floats in that order. */
function toFloats(bytes: Buffer): Float32Array {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function toIndex(body: Uint8Array, range: Range): number | undefined {
  const index = Number(new TextDecoder().decode(body.subarray(range.start, range.end)));
  return Number.isInteger(index) && index >= 0 ? index : undefined;
}

function addUsage(sum: Map<string, number>, bytes: Uint8Array | undefined): void {
  const usage = bytes && parseJson(new TextDecoder().decode(bytes));
  if (!isRecord(usage)) return;
  for (const [name, value] of Object.entries(usage)) {
    if (typeof value === "number" && Number.isFinite(value)) sum.set(name, (sum.get(name) ?? 0) + value);
  }
}

function slice(body: Uint8Array, range: Range | undefined): Uint8Array | undefined {
  return range && body.subarray(range.start, range.end);
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}
