import { expect, test } from "bun:test";
import fc from "fast-check";
import { declaredLength } from "../../../src/wire/declared-length.ts";
import { editedBody, editedHead } from "../../../src/worker/edit-body.ts";

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[next];
      next += 1;
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
}

test("a change is made at its place, whether the body is whole or comes in pieces, and its length is declared", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc.nat({ max: 59 }),
      fc.nat({ max: 59 }),
      fc.string({ maxLength: 10 }),
      fc.array(fc.nat({ max: 60 }), { maxLength: 6 }),
      async (body, one, other, text, cuts) => {
        const [at, end] = [Math.min(one, other, body.length - 1), Math.min(Math.max(one, other), body.length)];
        const edit = { at, end, text };
        const expected = Buffer.concat([body.subarray(0, at), Buffer.from(text), body.subarray(end)]);
        expect(Buffer.from(editedBody(body, edit) as Uint8Array)).toEqual(expected); // a whole body stays whole
        const places = [0, ...cuts.map((cut) => Math.min(cut, body.length)).sort((a, b) => a - b), body.length];
        const pieces = places.slice(1).map((to, index) => body.subarray(places[index], to));
        const streamed = editedBody(streamOf(pieces), edit);
        expect(Buffer.from(await new Response(streamed as ReadableStream).arrayBuffer())).toEqual(expected); // as above
        const head = { method: "POST", path: "/", headers: [["content-length", String(body.length)]] as const };
        expect(declaredLength(editedHead(head, edit).headers)).toBe(expected.length);
      },
    ),
  );
});

test("a body that ends before the place of a change stays as it is", () => {
  const body = Buffer.from("{}");
  expect(editedBody(body, { at: 7, end: 9, text: "x" })).toBe(body);
});

test("a head without a length gets none", () => {
  const head = { method: "POST", path: "/", headers: [] };
  expect(editedHead(head, { at: 1, end: 1, text: "x" })).toBe(head);
});
