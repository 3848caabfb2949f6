import { parseJson } from "../json/parse.ts";
import { itemsOf, membersOf, type Range } from "../json/scan.ts";
import { BILLING_LINE, withoutBillingLine } from "../wire/billing-line.ts";
import type { BodyEdit } from "../wire/heads.ts";

/** The roles of messages that make up the system prompt. */
const SYSTEM_ROLES: ReadonlySet<unknown> = new Set(["system", "developer"]);

/**
 * Returns the changes to a request's JSON that leave the billing line out of its prompt, in order; none for most requests. A
 * backend that reads the line into the prompt finds nothing after it in its prompt cache. vLLM leaves it out by itself since
 * March 2026; Ollama's source of August 2026 does not.
 */
export function billingEdits(body: Uint8Array): readonly BodyEdit[] {
  // The search costs little, so that other requests are not looked into.
  if (asBuffer(body).indexOf(BILLING_LINE) < 0) return NONE;
  const members = membersOf(body);
  const edits: BodyEdit[] = [];
  for (const name of ["system", "instructions"]) addContent(edits, body, members?.get(name));
  for (const name of ["messages", "input"]) addMessages(edits, body, members?.get(name));
  return edits.sort((first, second) => first.at - second.at);
}

/** Returns a body with such changes made to it. */
export function withEdits(body: Uint8Array, edits: readonly BodyEdit[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let position = 0;
  for (const { at, end, text } of edits) {
    pieces.push(body.subarray(position, at), Buffer.from(text));
    position = end;
  }
  pieces.push(body.subarray(position));
  return Buffer.concat(pieces);
}

/** Returns a change to the same body as it is after other changes, none of which overlaps it. */
export function shiftedBy(edits: readonly BodyEdit[], edit: BodyEdit): BodyEdit {
  let shift = 0;
  for (const { at, end, text } of edits) if (end <= edit.at) shift += Buffer.byteLength(text) - (end - at);
  return { ...edit, at: edit.at + shift, end: edit.end + shift };
}

const NONE: readonly BodyEdit[] = [];
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;

function addMessages(edits: BodyEdit[], body: Uint8Array, range: Range | undefined): void {
  if (range === undefined || body[range.start] !== OPEN_ARRAY) return;
  for (const item of itemsOf(body, range.start)) {
    const members = item && membersOf(body, item.start);
    // The system prompt is at the beginning, so no long conversation is scanned.
    if (!members || !SYSTEM_ROLES.has(valueAt(body, members.get("role")))) return;
    addContent(edits, body, members.get("content"));
  }
}

/** Adds the changes to a content: a text, or a list of blocks. */
function addContent(edits: BodyEdit[], body: Uint8Array, range: Range | undefined): void {
  if (range === undefined) return;
  if (body[range.start] === QUOTE) return addText(edits, body, range);
  if (body[range.start] !== OPEN_ARRAY) return;
  const blocks = [...itemsOf(body, range.start)].filter((block) => block !== undefined);
  const kept = blocks.filter((block) => !isOnlyLine(body, block));
  // A content without any block would be refused by some backends, so one that would be empty keeps its blocks.
  const left = new Set(kept.length > 0 ? kept : blocks);
  let lastEnd = range.start + 1;
  let isGap = false;
  for (const block of blocks) {
    if (!left.has(block)) {
      isGap = true;
      continue;
    }
    if (isGap) edits.push({ at: lastEnd, end: block.start, text: lastEnd === range.start + 1 ? "" : "," });
    addText(edits, body, membersOf(body, block.start)?.get("text"));
    lastEnd = block.end;
    isGap = false;
  }
  if (isGap) edits.push({ at: lastEnd, end: range.end - 1, text: "" });
}

/** Whether a block is nothing but the line. */
function isOnlyLine(body: Uint8Array, block: Range): boolean {
  const text = valueAt(body, membersOf(body, block.start)?.get("text"));
  return typeof text === "string" && text.startsWith(BILLING_LINE) && withoutBillingLine(text) === "";
}

function addText(edits: BodyEdit[], body: Uint8Array, range: Range | undefined): void {
  const text = valueAt(body, range);
  if (range === undefined || typeof text !== "string" || !text.startsWith(BILLING_LINE)) return;
  edits.push({ at: range.start, end: range.end, text: JSON.stringify(withoutBillingLine(text)) });
}

function valueAt(body: Uint8Array, range: Range | undefined): unknown {
  if (range === undefined || body[range.start] !== QUOTE) return undefined;
  const json = parseJson(`[${asBuffer(body.subarray(range.start, range.end)).toString()}]`);
  return Array.isArray(json) ? json[0] : undefined;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
