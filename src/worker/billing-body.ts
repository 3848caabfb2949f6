import { declaredLength } from "../wire/declared-length.ts";
import type { BodyEdit, RequestHead } from "../wire/heads.ts";
import type { Body } from "../wire/pump.ts";
import { FailedCall } from "./backend.ts";
import { billingEdits, shiftedBy, withEdits } from "./billing-line.ts";
import { readAtMost } from "./read-at-most.ts";

/** The routes whose requests have a prompt with roles. */
const PATHS = /^\/(?:chat\/completions|messages|responses)(?:$|[/?])/;
/** The longest body that is looked into. It is held in memory whole. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface ReadyBody {
  readonly body: Body | undefined;
  /** The change to this body that asks for the usage. */
  readonly metered: BodyEdit | undefined;
}

/** Returns a request's body without Claude Code's billing line. A body that streams is read to its end first. */
export async function withoutBillingLine(sent: Body | undefined, head: RequestHead): Promise<ReadyBody> {
  const { metered } = head;
  if (sent === undefined || !PATHS.test(head.path)) return { body: sent, metered };
  const body = sent instanceof ReadableStream ? await wholeBody(sent, head) : sent;
  if (body instanceof ReadableStream) return { body, metered };
  const edits = billingEdits(body);
  if (edits.length === 0) return { body, metered };
  return { body: withEdits(body, edits), metered: metered && shiftedBy(edits, metered) };
}

/** Reads a body to its end. One that does not say how long it is, or is very long, stays a stream. */
async function wholeBody(stream: ReadableStream<Uint8Array>, { headers }: RequestHead): Promise<Body> {
  // The server holds JSON as a whole, so it declares the length of what it sends in pieces.
  const length = declaredLength(headers);
  if (length === undefined || length > MAX_BYTES) return stream;
  const { bytes, isWhole } = await readAtMost(stream, length);
  if (isWhole && bytes.length === length) return bytes;
  const message = "the request's body does not have its declared length";
  throw new FailedCall({ code: "protocol_error", message });
}
