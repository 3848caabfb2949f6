import type { ByteReader } from "../wire/byte-reader.ts";
import { declaredLength, withDeclaredLength } from "../wire/declared-length.ts";
import type { BodyEdit, RequestHead } from "../wire/heads.ts";
import type { Body } from "../wire/pump.ts";

/** Returns a body with a change made to it. A body that ends before the place of the change stays as it is. */
export function editedBody(body: Body, edit: BodyEdit): Body {
  if (body instanceof ReadableStream) return editedStream(body, edit);
  return body.length < edit.end ? body : editedPiece(body, 0, edit);
}

/** Returns a request's head for a body with a change made to it: a declared length counts the change. */
export function editedHead(head: RequestHead, { at, end, text }: BodyEdit): RequestHead {
  const length = declaredLength(head.headers);
  return length === undefined ? head : withDeclaredLength(head, length + Buffer.byteLength(text) - (end - at));
}

/** Returns what becomes of the piece of a body that begins at `from`. */
function editedPiece(piece: Uint8Array, from: number, { at, end, text }: BodyEdit): Uint8Array {
  if (from + piece.length <= at) return piece;
  const rest = piece.subarray(Math.max(0, end - from));
  return from > at ? rest : Buffer.concat([piece.subarray(0, at - from), Buffer.from(text), rest]);
}

function editedStream(body: ReadableStream<Uint8Array>, edit: BodyEdit): ReadableStream<Uint8Array> {
  const reader: ByteReader = body.getReader();
  let position = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A stream is not pulled again after a pull that brought nothing, so pieces of which nothing is left are passed over.
        for (;;) {
          const { done, value } = await reader.read();
          if (done || value === undefined) return controller.close();
          const piece = editedPiece(value, position, edit);
          position += value.length;
          if (piece.length > 0) return controller.enqueue(piece);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
