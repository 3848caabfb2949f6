import type { Answer } from "../answering/opening.ts";
import { declaredLength } from "../wire/declared-length.ts";
import type { BodyEdit } from "../wire/heads.ts";
import { type BackendRequest, callBackend, toFetchedAnswer, toHeaderPairs } from "./backend.ts";
import { editedBody, editedHead } from "./edit-body.ts";

/** The longest refusal that is read. Servers answer a request that they do not take with less than 1 KiB. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** The longest body that is held whole for a server of which it is not known whether it takes the change. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

export interface MeteredCallOptions {
  /** Whether it is not known yet that the server takes the change, so that the request must be kept for a second time. */
  readonly isTry: boolean;
  /** Told whether the server takes the change, where that shows. */
  readonly note: (takesIt: boolean) => void;
}

/**
 * Sends a request with a change that asks for the usage of the stream. A server that refuses the request because of the
 * change gets it once more as the client sent it, unless its body is no longer there.
 */
export async function callMetered(
  asked: BackendRequest,
  edit: BodyEdit,
  { isTry, note }: MeteredCallOptions,
): Promise<Answer> {
  const { head } = asked;
  const { path } = head;
  const request = isTry ? await held(asked) : asked;
  const { body } = request;
  // Only a request with a body has a place for the change, and one that cannot be repeated is not for a first try.
  if (body === undefined || (isTry && body instanceof ReadableStream))
    return toFetchedAnswer(await callBackend(request), path);
  const changed = { ...request, head: editedHead(head, edit), body: editedBody(body, edit) };
  const response = await callBackend(changed);
  if (response.ok) note(true);
  if (!mayBeRefusal(response) || body instanceof ReadableStream)
    return { ...toFetchedAnswer(response, path), metered: true };
  const said = Buffer.from(await response.arrayBuffer());
  if (!NAMES_THE_CHANGE.test(said.toString("latin1")))
    return { status: response.status, headers: toHeaderPairs(response.headers), body: said };
  const unchanged = await callBackend(request);
  // A server may quote the request that it refuses for another reason.
  if (unchanged.ok) note(false);
  return toFetchedAnswer(unchanged, path);
}

/** Returns a request whose body is whole, unless its length is not known or it is too long. */
async function held(request: BackendRequest): Promise<BackendRequest> {
  const { body, head } = request;
  if (!(body instanceof ReadableStream)) return request;
  if ((declaredLength(head.headers) ?? Number.POSITIVE_INFINITY) > MAX_HELD_BYTES) return request;
  return { ...request, body: new Uint8Array(await new Response(body).arrayBuffer()) };
}

const NAMES_THE_CHANGE = /stream_options|include_usage/;

/** Whether a response may refuse the request for its contents, and is small enough to be read for the reason. */
function mayBeRefusal({ status, headers }: Response): boolean {
  if (status !== 400 && status !== 422) return false;
  return (declaredLength([...headers]) ?? Number.POSITIVE_INFINITY) <= MAX_REFUSAL_BYTES;
}
