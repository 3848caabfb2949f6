import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../../src/errors.ts";
import { renamedForm } from "../../../src/upload/renamed-form.ts";
import { BOUNDARY, type FormField, formBytes, sound } from "../../support/audio-form.ts";
import { times } from "../../support/times.ts";

const named = (value: string): FormField => ({ name: "model", value });
const STREAM: FormField = { name: "stream", value: "true" };
/** Sound that contains what looks like a field, and the beginnings of boundaries. */
const TRICKY: FormField = {
  name: "file",
  value: Buffer.concat([
    Buffer.from(`RIFF\r\n--${BOUNDARY.slice(0, 12)}\r\n\r\nname="model"\r\n\r\nold\r\n--`),
    Buffer.from(sound(40).value as Uint8Array),
  ]),
  filename: 'a\\"; name=model; x=\\".wav',
};

/** Renames in a body that comes in pieces of these sizes, repeated; the memory of each is reused for the next. */
async function rename(body: Uint8Array, sizes: readonly number[], from = "old", to = "new:8b"): Promise<Buffer> {
  let at = 0;
  let turn = 0;
  const memory = new Uint8Array(body.length);
  const source = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= body.length) return controller.close();
        const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
        turn += 1;
        const bytes = memory.subarray(0, Math.min(size, body.length - at));
        bytes.set(body.subarray(at, at + bytes.length));
        at += bytes.length;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
  const renamed = renamedForm(source, { boundary: BOUNDARY, field: "model", from, to });
  return Buffer.from(await new Response(renamed).arrayBuffer());
}

const FORMS: readonly (readonly [string, (model: FormField) => readonly FormField[]])[] = [
  ["before the file", (model) => [model, TRICKY, STREAM]],
  ["after the file", (model) => [TRICKY, STREAM, model]],
  ["alone", (model) => [model]],
];

describe.each(FORMS)("a form whose model stands %s", (_where, fields) => {
  test("is the same with another name in it, however its bytes are split", async () => {
    const [body, expected] = [formBytes(fields(named("old"))), formBytes(fields(named("new:8b")))];
    for (let size = 1; size <= body.length; size += 1) expect((await rename(body, [size])).equals(expected)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (sizes) => {
        expect((await rename(body, sizes)).equals(expected)).toBe(true);
      }),
      { numRuns: times(100) },
    );
  });
});

test("a preamble, an epilogue and a part without headers pass unchanged", async () => {
  const form = (model: string): Buffer =>
    Buffer.concat([
      Buffer.from(`preamble\r\n--${BOUNDARY}\r\n\r\nbare\r\n`),
      formBytes([named(model)]),
      Buffer.from("epilogue\r\n\r\nname=model"),
    ]);
  expect((await rename(form("old"), [7])).equals(form("new:8b"))).toBe(true);
});

test.each([
  ["without the field", formBytes([STREAM, TRICKY])],
  ["with the field twice", formBytes([named("old"), named("old")])],
  ["with another value", formBytes([named("older")])],
  ["with a shorter value", formBytes([named("ol"), TRICKY])],
  ["with an endless head", Buffer.concat([Buffer.from(`--${BOUNDARY}\r\nx: `), Buffer.alloc(20_000, 0x61)])],
])("a form %s fails", async (_what, body) => {
  const error = await rename(body, [1000]).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error instanceof Fault && [error.code, error.status]).toEqual(["invalid_request", 400]);
});
