import { Fault } from "../../errors.ts";
import { itemsOf, membersOf, type Range } from "../../json/scan.ts";
import type { Standing } from "../../models/standings.ts";
import type { RequestCharge } from "../../pool/charge.ts";

export type Encoding = "float" | "base64";

/** Most inputs of a request. The vectors of so many fill the memory that one request may use for its answers. */
const MAX_INPUTS = 32_768;

/** The inputs of a request for embeddings, in one of the forms of OpenAI's API. */
export interface EmbeddingInput {
  readonly count: number;
  /** Whether the input is a list of inputs. A string or one list of tokens is a single input and is never split. */
  readonly isPlural: boolean;
  readonly encoding: Encoding;
}

/** A request for embeddings, as it was read. */
export interface EmbeddingRequest {
  readonly body: Uint8Array;
  readonly model: string;
  readonly input: EmbeddingInput;
  readonly standing: Standing;
  /** What the request takes from the limits of its key; absent without limits. */
  readonly charge?: RequestCharge | undefined;
}

/**
 * Reads the inputs of a request. Undefined for any form that the server cannot split and merge: such a request is passed on
 * whole, and its backend judges it. Throws an `invalid_request` for too many inputs.
 */
export function parseEmbeddingInput({
  input,
  encoding_format,
}: Readonly<Record<string, unknown>>): EmbeddingInput | undefined {
  const encoding = toEncoding(encoding_format);
  if (encoding === undefined) return undefined;
  if (isText(input) || isTokens(input)) return { count: 1, isPlural: false, encoding };
  if (!Array.isArray(input) || input.length === 0 || !(input.every(isText) || input.every(isTokens))) return undefined;
  if (input.length > MAX_INPUTS) {
    throw new Fault("invalid_request", {
      message: `'input' may hold at most ${MAX_INPUTS} items; this one has ${input.length}.`,
      param: "input",
    });
  }
  return { count: input.length, isPlural: true, encoding };
}

function toEncoding(format: unknown): Encoding | undefined {
  if (format === undefined || format === null || format === "float") return "float";
  return format === "base64" ? "base64" : undefined;
}

/** An empty text does not count: model servers treat it differently, so such a request is passed on as it is. */
function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isTokens(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isInteger(token) && token >= 0);
}

/** Some inputs of a request, in order. */
export interface Part {
  /** Position of its first input in the request. */
  readonly offset: number;
  readonly count: number;
  /** The client's request with only these inputs in it. */
  readonly body: Uint8Array;
}

/**
 * Cuts a request with many inputs into parts, each as large as the worker that pulls it wants. Inputs are copied as
 * bytes, so numbers, escapes and unknown fields stay unchanged.
 */
export class PartCutter {
  readonly #body: Uint8Array;
  readonly #input: Range;
  readonly #items: readonly Range[];
  /** Ranges of inputs that no worker has taken, in order. */
  readonly #open: { from: number; to: number }[];

  constructor(body: Uint8Array) {
    const input = membersOf(body)?.get("input");
    const items: Range[] = [];
    for (const item of input ? itemsOf(body, input.start) : []) if (item) items.push(item);
    // The body was parsed before, so this happens only if two parsers differ.
    if (!input || items.length === 0) throw new Fault("invalid_request", { param: "input" });
    this.#body = body;
    this.#input = input;
    this.#items = items;
    this.#open = [{ from: 0, to: items.length }];
  }

  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  /** Takes the next inputs, at most `maxItems`; undefined if none is left. */
  next(maxItems: number): Part | undefined {
    const stretch = this.#open[0];
    if (!stretch) return undefined;
    const offset = stretch.from;
    const to = Math.min(stretch.to, offset + Math.max(1, maxItems));
    if (to === stretch.to) this.#open.shift();
    else stretch.from = to;
    return { offset, count: to - offset, body: this.#cut(offset, to) };
  }

  /** Opens the inputs of a failed part again, ahead of all others. */
  putBack(part: Part): void {
    this.#open.unshift({ from: part.offset, to: part.offset + part.count });
  }

  #cut(from: number, to: number): Uint8Array {
    const first = this.#items[from];
    const last = this.#items[to - 1];
    if (!first || !last) throw new RangeError("a part outside of its request");
    return Buffer.concat([
      this.#body.subarray(0, this.#input.start),
      Buffer.from("["),
      this.#body.subarray(first.start, last.end),
      Buffer.from("]"),
      this.#body.subarray(this.#input.end),
    ]);
  }
}
