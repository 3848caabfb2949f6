import { Fault } from "../../errors.ts";
import { itemsOf, membersOf, type Range } from "../../json/scan.ts";

export type Encoding = "float" | "base64";

/** OpenAI takes 2,048 inputs in one request; more could not be asked of a backend in one part either. */
const MAX_INPUTS = 2048;

/** What a client wants embedded. */
export interface EmbeddingInput {
  readonly count: number;
  /** Whether the inputs are separate ones: a string or one token array is a single input and never split. */
  readonly isPlural: boolean;
  readonly encoding: Encoding;
}

/** Throws `invalid_request` naming `input` or `encoding_format`. */
export function parseEmbeddingInput(value: Readonly<Record<string, unknown>>): EmbeddingInput {
  const { input, encoding_format } = value;
  if (
    encoding_format !== undefined &&
    encoding_format !== null &&
    encoding_format !== "float" &&
    encoding_format !== "base64"
  ) {
    throw new Fault("invalid_request", {
      message: "'encoding_format' must be 'float' or 'base64'.",
      param: "encoding_format",
    });
  }
  const encoding = encoding_format === "base64" ? "base64" : "float";
  if (isText(input) || isTokens(input)) return { count: 1, isPlural: false, encoding };
  if (!Array.isArray(input) || input.length === 0 || !(input.every(isText) || input.every(isTokens))) {
    throw new Fault("invalid_request", {
      message:
        "'input' must be a text, a list of texts, a list of tokens, or a list of lists of tokens; none of them empty.",
      param: "input",
    });
  }
  if (input.length > MAX_INPUTS) {
    throw new Fault("invalid_request", {
      message: `'input' may hold at most ${MAX_INPUTS} items; this one has ${input.length}.`,
      param: "input",
    });
  }
  return { count: input.length, isPlural: true, encoding };
}

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
 * Cuts a request with many inputs into parts, each as large as the worker that pulls it wants. Inputs are moved as the
 * bytes they came as: numbers, escapes and unknown fields stay what they were.
 */
export class PartCutter {
  readonly #body: Uint8Array;
  readonly #input: Range;
  readonly #items: readonly Range[];
  /** Stretches of inputs that nobody has taken, in order. */
  readonly #open: { from: number; to: number }[];

  constructor(body: Uint8Array) {
    const input = membersOf(body)?.get("input");
    const items: Range[] = [];
    for (const item of input ? itemsOf(body, input.start) : []) if (item) items.push(item);
    // The body was parsed before: only a difference between two parsers could bring this.
    if (!input || items.length === 0) throw new Fault("invalid_request", { param: "input" });
    this.#body = body;
    this.#input = input;
    this.#items = items;
    this.#open = [{ from: 0, to: items.length }];
  }

  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  /** The next inputs that nobody has taken, at most so many. */
  next(maxItems: number): Part | undefined {
    const stretch = this.#open[0];
    if (!stretch) return undefined;
    const offset = stretch.from;
    const to = Math.min(stretch.to, offset + Math.max(1, maxItems));
    if (to === stretch.to) this.#open.shift();
    else stretch.from = to;
    return { offset, count: to - offset, body: this.#cut(offset, to) };
  }

  /** A part that failed: its inputs are open again, first of all. */
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
