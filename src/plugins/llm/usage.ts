import type { Usage } from "../../pool/plugin-pool.ts";
import { isRecord, parseJson } from "../../tunnel/control.ts";

/** The end of an answer in which its final `usage` stands: with the fields around it well below 2 KiB in all that is known. */
const TAIL_BYTES = 16 * 1024;
/** Anthropic's `message_start` counts the input tokens in the first event of a stream. */
const FIRST_BYTES = 4 * 1024;
const MAX_TOKENS = 2 ** 31;
/** Objects called `usage` that are looked into, and closing braces tried for each: real ones hold two details at most. */
const MAX_TRIES = 4;
const MAX_BRACES = 8;

/**
 * Counts the tokens of an answer that is only passed by: keeps its last pieces, and looks into them once, at the end.
 * Taking a piece costs no search and no copy.
 */
export class UsageTail {
  #first: Uint8Array | undefined;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  push(piece: Uint8Array): void {
    this.#first ??= piece.length <= FIRST_BYTES ? piece : piece.slice(0, FIRST_BYTES);
    // A large piece would be pinned whole for its last bytes.
    const kept = piece.length > TAIL_BYTES ? piece.slice(-TAIL_BYTES) : piece;
    this.#pieces.push(kept);
    this.#bytes += kept.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= TAIL_BYTES) this.#bytes -= this.#pieces.shift()?.length ?? 0;
  }

  /** What the answer stated last; undefined when it stated nothing that can be believed. */
  read(): Usage | undefined {
    const last = findUsage(decode(Buffer.concat(this.#pieces)));
    const first = this.#first && findUsage(decode(this.#first));
    if (!last) return first;
    // A stream of the Messages API may count its input at the start only.
    return { inputTokens: last.inputTokens || (first?.inputTokens ?? 0), outputTokens: last.outputTokens };
  }
}

/** Searches backwards for a member called `usage` that is an object with counts. */
function findUsage(text: string): Usage | undefined {
  let tries = 0;
  for (let at = text.lastIndexOf('"usage"'); at >= 0; at = at === 0 ? -1 : text.lastIndexOf('"usage"', at - 1)) {
    const start = text.slice(at + 7, at + 7 + 64).match(/^\s*:\s*\{/)?.[0].length;
    // Inside a string its quotes are escaped, so this is a member, or `usage` as somebody's plain text value.
    if (start === undefined || text[at - 1] === "\\") continue;
    tries += 1;
    if (tries > MAX_TRIES) return undefined;
    const usage = toUsage(parseObjectAt(text, at + 7 + start - 1));
    if (usage) return usage;
  }
  return undefined;
}

/** The object that begins at `at`, parsed up to the brace that closes it. */
function parseObjectAt(text: string, at: number): unknown {
  let end = at;
  for (let braces = 0; braces < MAX_BRACES; braces += 1) {
    end = text.indexOf("}", end + 1);
    if (end < 0 || end - at > 4096) return undefined;
    const value = parseJson(text.slice(at, end + 1));
    if (value !== undefined) return value;
  }
  return undefined;
}

function toUsage(value: unknown): Usage | undefined {
  if (!isRecord(value)) return undefined;
  const input = toCount(value["prompt_tokens"]) ?? toCount(value["input_tokens"]);
  const output = toCount(value["completion_tokens"]) ?? toCount(value["output_tokens"]);
  return input === undefined && output === undefined
    ? undefined
    : { inputTokens: input ?? 0, outputTokens: output ?? 0 };
}

/** A count as backends state it; what a hostile one makes up is not added to anything. */
function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : undefined;
}

/** Bytes that were cut anywhere: what is not a whole character becomes a mark, which no count contains. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
