import { isRecord } from "../json/parse.ts";
import { withoutBillingLine } from "../wire/billing-line.ts";

/**
 * The beginnings of a prompt, each as one hash, shortest first. Prompts that begin alike have the hashes of their common
 * beginnings in common.
 */
export interface Chain {
  readonly hashes: readonly bigint[];
  /** For each hash the size of the beginning that it covers: in characters, which stand for tokens. */
  readonly ends: readonly number[];
  /** The size of the whole prompt. */
  readonly size: number;
}

/**
 * The most that is looked at: two million tokens, or tens of large images. What follows has no hashes, so the work for a
 * request is bounded, and a longer conversation still matches up to there.
 */
const MAX_CHARS = 8 * 1024 * 1024;
const MAX_MESSAGES = 4096;
const MAX_VALUES = 20_000;
const MAX_DEPTH = 32;

/** Beginnings that are shorter are not remembered: computing 60 tokens again costs nobody anything. */
const MIN_CHARS = 256;
/** The hashes that are kept of a long conversation. Prompts that many share end early, and turns are added at the end. */
const FIRST_KEPT = 4;
const LAST_KEPT = 16;
/** The borders inside of a text, because a document and a question about it may be one text. */
const TEXT_BORDERS = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((kib) => kib * 1024);
/** Messages have such borders if they are large and early. */
const MESSAGE_BORDERS = TEXT_BORDERS.slice(2);
const EARLY_MESSAGES = 3;
const MAX_INNER_BORDERS = 24;
/** A token has about four characters. A prompt that is a list of token ids has its borders at the same sizes. */
const CHARS_PER_TOKEN = 4;
const TOKEN_BORDERS = TEXT_BORDERS.map((chars) => chars / CHARS_PER_TOKEN);
const LAST_TOKEN_BORDER = 64 * 1024;
/** The size of an image, however many characters its data has. */
const IMAGE_CHARS = 4096;

/** The member that marks where Anthropic's cache ends. Clients move it to the newest message with each turn. */
const CACHE_MARK = "cache_control";
/** Hashes a prompt from its beginning on, and sets borders: places up to which another prompt may be the same. */
export class ChainBuilder {
  #hash: bigint;
  #size = 0;
  #values = 0;
  readonly #hashes: bigint[] = [];
  readonly #ends: number[] = [];
  /** The borders inside of texts, which are kept whatever their number in the chain. */
  readonly #inner = new Set<number>();
  /** The size of what was not looked at. */
  #rest = 0;

  constructor(seed: bigint) {
    this.#hash = seed;
  }

  /** Adds a part that stands before the messages. */
  addHead(name: string, value: unknown): void {
    this.#mix(name);
    if (typeof value === "string") this.#text(withoutBillingLine(value), MESSAGE_BORDERS);
    else this.#blocks(value, true);
    this.#border();
  }

  addMessages(messages: readonly unknown[]): void {
    for (let index = 0; index < messages.length; index += 1) {
      this.#message(messages[index], index);
      if (!this.#isFull && index < MAX_MESSAGES) this.#border();
      else {
        // The rest is taken for as large as what was looked at, message by message.
        this.#rest += (this.#size / (index + 1)) * (messages.length - index - 1);
        return;
      }
    }
  }

  addText(text: string): void {
    this.#text(text, TEXT_BORDERS);
  }

  /** Adds a list of token ids. Only what lies before the last border is looked at. */
  addTokens(tokens: readonly unknown[]): void {
    const seen = tokens.slice(0, LAST_TOKEN_BORDER);
    const ids = Uint32Array.from(seen, (id) => (typeof id === "number" ? id : 0));
    let at = 0;
    for (const border of TOKEN_BORDERS) {
      if (border > ids.length) break;
      this.#hash = Bun.hash.xxHash64(ids.subarray(at, border), this.#hash);
      this.#size += (border - at) * CHARS_PER_TOKEN;
      this.#innerBorder();
      at = border;
    }
    this.#rest += (tokens.length - at) * CHARS_PER_TOKEN;
  }

  build(): Chain | undefined {
    const count = this.#hashes.length;
    if (count === 0) return undefined;
    const isAll = count <= FIRST_KEPT + LAST_KEPT;
    const isKept = (at: number): boolean => at < FIRST_KEPT || at >= count - LAST_KEPT || this.#inner.has(at);
    return {
      hashes: isAll ? this.#hashes : this.#hashes.filter((_, at) => isKept(at)),
      ends: isAll ? this.#ends : this.#ends.filter((_, at) => isKept(at)),
      size: this.#size + this.#rest,
    };
  }

  #message(message: unknown, index: number): void {
    if (!isRecord(message)) return this.#value(message, 0);
    const { role, content } = message;
    if (typeof role === "string") this.#mix(role);
    const isEarly = index < EARLY_MESSAGES;
    if (typeof content === "string") this.#content(content, isEarly);
    else if (content !== undefined && content !== null) this.#blocks(content, isEarly);
    for (const name in message) {
      if (this.#isFull) return;
      if (name === "role" || name === "content" || name === CACHE_MARK) continue;
      this.#mix(name);
      this.#value(message[name], 0, name);
    }
  }

  /** Adds content in blocks. A block of text counts as the text itself, as it is in a message without blocks. */
  #blocks(content: unknown, isEarly: boolean): void {
    if (!Array.isArray(content)) return this.#value(content, 0);
    for (const block of content) {
      this.#values += 1;
      if (this.#isFull) return;
      const text: unknown = isRecord(block) ? block["text"] : undefined;
      if (typeof text === "string") this.#content(text, isEarly);
      else this.#value(block, 1);
    }
  }

  #content(text: string, isEarly: boolean): void {
    if (isEarly) this.#text(withoutBillingLine(text), MESSAGE_BORDERS);
    else this.#text(text, NONE);
  }

  /** Adds any value: its names and values in their order. */
  #value(value: unknown, depth: number, name?: string): void {
    this.#values += 1;
    if (this.#isFull) return;
    if (typeof value === "string") {
      this.#mix(value);
      const isData = value.length > IMAGE_CHARS && (name === "data" || value.startsWith("data:"));
      this.#size += isData ? IMAGE_CHARS : value.length;
    } else if (typeof value !== "object" || value === null) {
      this.#mix(String(value));
    } else if (depth >= MAX_DEPTH) {
      // Nothing that a model reads is nested so deep.
      this.#mix("…");
    } else if (Array.isArray(value)) {
      for (const each of value) {
        if (this.#isFull) return;
        this.#value(each, depth + 1);
      }
    } else if (isRecord(value)) {
      for (const key in value) {
        if (this.#isFull) return;
        if (key === CACHE_MARK) continue;
        this.#mix(key);
        this.#value(value[key], depth + 1, key);
      }
    }
  }

  /** Adds a text, with a border at each of the offsets that lie inside of it. */
  #text(text: string, offsets: readonly number[]): void {
    let at = 0;
    for (const offset of offsets) {
      if (offset > text.length) break;
      this.#mix(text.slice(at, offset));
      this.#size += offset - at;
      this.#innerBorder();
      at = offset;
    }
    this.#mix(at === 0 ? text : text.slice(at));
    this.#size += text.length - at;
  }

  #mix(text: string): void {
    this.#hash = Bun.hash.xxHash64(text, this.#hash);
  }

  get #isFull(): boolean {
    return this.#values > MAX_VALUES || this.#size > MAX_CHARS;
  }

  #innerBorder(): void {
    if (this.#inner.size >= MAX_INNER_BORDERS) return;
    this.#inner.add(this.#hashes.length);
    this.#border();
  }

  #border(): void {
    if (this.#size < MIN_CHARS || this.#isFull) return;
    this.#hashes.push(this.#hash);
    this.#ends.push(this.#size);
  }
}

const NONE: readonly number[] = [];
