import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { AUDIO_FORM } from "../../src/plugins/asr/audio-form.ts";
import { FormReader } from "../../src/upload/form.ts";
import { BOUNDARY, FORM_TYPE, type FormField, formBytes, MODEL, sound } from "../support/audio-form.ts";
import { expectCleanPrototype, hostileText, mutated } from "../support/hostile.ts";
import { times } from "../support/times.ts";

// Multipart forms are read while they pass: with the same result however they are split, and with a Fault at worst.

/** Milliseconds. A form of a kilobyte takes less than one, so a reader that takes this long is stuck. */
const STUCK_MS = 2000;

/** Reads a body split at these places; returns the outcome as text, with the code and the field of a refusal. */
async function read(body: Uint8Array, cuts: readonly number[], type: string): Promise<string> {
  const run = async (): Promise<string> => {
    try {
      const form = new FormReader(type, AUDIO_FORM);
      let at = 0;
      for (const cut of [...cuts.filter((each) => each < body.length).toSorted((a, b) => a - b), body.length]) {
        await form.write(body.subarray(at, cut));
        at = cut;
      }
      await form.end();
      return JSON.stringify({ model: form.awaited, isStream: form.isStream });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.status >= 500) throw error;
      return `refused: ${error.code} ${error.param}`;
    }
  };
  const stuck = Promise.withResolvers<string>();
  const timer = setTimeout(() => stuck.reject(new Error("the reader is stuck")), STUCK_MS);
  return Promise.race([run(), stuck.promise]).finally(() => clearTimeout(timer));
}

const field: fc.Arbitrary<FormField> = fc.oneof(
  fc.constant(MODEL),
  fc.constantFrom("true", "no", "").map((value) => ({ name: "stream", value })),
  fc.record({
    name: fc.constantFrom("model", "file", "prompt", "__proto__", "constructor"),
    value: hostileText.map((text) => text.toWellFormed()),
  }),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => ({
    name: "file",
    value: Buffer.concat([bytes, Buffer.from(`\r\n--${BOUNDARY.slice(0, 20)}`)]),
    filename: "a.wav",
  })),
  fc.constant(sound(100)),
);
const form = fc.array(field, { maxLength: 6 }).map((fields) => formBytes(fields));
const cuts = fc.oneof(
  fc.array(fc.nat({ max: 1500 }), { maxLength: 10 }),
  // Byte by byte, over a stretch or all of it.
  fc
    .tuple(fc.nat({ max: 800 }), fc.nat({ max: 300 }))
    .map(([from, count]) => Array.from({ length: count }, (_, at) => from + at)),
);
const right = formBytes([MODEL, { name: "stream", value: "1" }, sound(50)]);

describe("an audio form", () => {
  test("gives the same result however its bytes are split", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(form, cuts, async (body, places) => {
        const whole = await read(body, [], FORM_TYPE);
        seen.add(whole.slice(0, 8));
        expect(await read(body, places, FORM_TYPE)).toBe(whole);
      }),
      { numRuns: times(300) },
    );
    expect(seen).toEqual(new Set(['{"model"', "refused:"]));
  });

  test("with changed bytes is read or refused, the same however it is split, and never hangs", async () => {
    const changed = fc.oneof(mutated(right), form.chain(mutated));
    await fc.assert(
      fc.asyncProperty(changed, cuts, async (body, places) => {
        const whole = await read(body, [], FORM_TYPE);
        expect(await read(body, places, FORM_TYPE)).toBe(whole);
        expectCleanPrototype();
      }),
      { numRuns: times(400) },
    );
  });

  test("of any content type and boundary is read or refused", async () => {
    const type = fc.oneof(
      fc.constantFrom(BOUNDARY, `"${BOUNDARY}"`, `${BOUNDARY}; x="\\"`, `x; boundary=${BOUNDARY}`, '"', "a\tb", "%"),
      hostileText,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          "multipart/form-data; boundary=",
          "multipart/form-data;charset=utf-8;boundary=",
          "multipart/form-data",
        ),
        type,
        mutated(right),
        async (start, end, body) => {
          await read(body, [], start + end);
          expectCleanPrototype();
        },
      ),
      { numRuns: times(400) },
    );
  });

  test("whose parts have odd headers is read or refused, the same however it is split", async () => {
    const name = fc.constantFrom(
      "Content-Disposition",
      "content-disposition",
      "Content-Type",
      "Content-Transfer-Encoding",
      "X",
      "__proto__",
      "constructor",
      "",
    );
    const value = fc.oneof(
      fc.constantFrom(
        'form-data; name="model"',
        'form-data; name="file"; filename="x"',
        "form-data; name*=utf-8''mod%65l",
        'form-data; name="model"; filename*=x',
        "attachment",
        "base64",
        "7bit",
        "text/plain; charset=utf-16le",
        "audio/wav",
        "form-data",
      ),
      hostileText.map((text) => text.toWellFormed()),
    );
    const part = fc
      .tuple(fc.array(fc.tuple(name, value), { maxLength: 4 }), hostileText)
      .map(
        ([heads, text]) =>
          `--${BOUNDARY}\r\n${heads.map(([key, said]) => `${key}: ${said}\r\n`).join("")}\r\n${text.toWellFormed()}\r\n`,
      );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 4 }), cuts, async (parts, places) => {
        const body = Buffer.concat([Buffer.from(parts.join("")), right]);
        const whole = await read(body, [], FORM_TYPE);
        expect(await read(body, places, FORM_TYPE)).toBe(whole);
        expectCleanPrototype();
      }),
      { numRuns: times(400) },
    );
  });
});
