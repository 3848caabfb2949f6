import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../../src/errors.ts";
import { AUDIO_FORM } from "../../../src/plugins/asr/audio-form.ts";
import { FormReader, type FormSpec } from "../../../src/upload/form.ts";
import { BOUNDARY, FORM_TYPE, type FormField, formBytes, MODEL, sound } from "../../support/audio-form.ts";
import { times } from "../../support/times.ts";

interface Reading {
  readonly model: string | undefined;
  readonly isStream: boolean;
}

/** Reads a body cut at these places. */
async function read(body: Uint8Array, cuts: readonly number[] = [], type = FORM_TYPE): Promise<Reading> {
  const form = new FormReader(type, AUDIO_FORM);
  let at = 0;
  for (const cut of [...cuts, body.length]) {
    await form.write(body.subarray(at, cut));
    at = cut;
  }
  await form.end();
  return { model: form.awaited, isStream: form.isStream };
}

async function faultOf(reading: Promise<unknown>): Promise<Fault> {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Fault)) throw new Error(`no fault: ${error}`);
  return error;
}

const STREAM: FormField = { name: "stream", value: "true" };
const WORDS: FormField = { name: "timestamp_granularities[]", value: "word" };
const SEGMENTS: FormField = { name: "timestamp_granularities[]", value: "segment" };
/** Sound with bytes that look like the beginning of a boundary. */
const TRICKY: FormField = {
  name: "file",
  value: Buffer.concat([
    Buffer.from(`RIFF\r\n--${BOUNDARY.slice(0, 12)}\r\n-\r\n--\r\n\r\n`),
    Buffer.from(sound(20).value as Uint8Array),
  ]),
  filename: "speech.wav",
};

describe("an upload form", () => {
  test.each([
    ["before the file", [MODEL, TRICKY]],
    ["after the file", [TRICKY, MODEL]],
    ["between fields with brackets in their names", [WORDS, MODEL, SEGMENTS, TRICKY]],
  ])("gives its model if the field stands %s", async (_where, fields) => {
    expect(await read(formBytes(fields))).toEqual({ model: "m", isStream: false });
  });

  test("gives the same result wherever its bytes are split in two", async () => {
    const body = formBytes([TRICKY, WORDS, MODEL, STREAM, SEGMENTS]);
    for (let cut = 0; cut <= body.length; cut += 1) {
      expect(await read(body, [cut])).toEqual({ model: "m", isStream: true });
    }
  });

  test("gives the same result byte by byte and in pieces of any size", async () => {
    const body = formBytes([STREAM, TRICKY, WORDS, MODEL]);
    expect(await read(body, [...body.keys()])).toEqual({ model: "m", isStream: true });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: body.length }), { maxLength: 12 }), async (places) => {
        const cuts = places.toSorted((a, b) => a - b);
        expect(await read(body, cuts)).toEqual({ model: "m", isStream: true });
      }),
      { numRuns: times(100) },
    );
  });

  test("gives its model as soon as the field has ended", async () => {
    const form = new FormReader(FORM_TYPE, AUDIO_FORM);
    const body = formBytes([MODEL, TRICKY]);
    await form.write(body.subarray(0, body.indexOf("RIFF")));
    expect(form.awaited).toBe("m");
  });

  test("may have a preamble, an epilogue, and a boundary in quotes", async () => {
    const quoted = "two words (of a boundary)?";
    const body = Buffer.concat([Buffer.from("read me\r\n"), formBytes([MODEL, TRICKY], quoted), Buffer.from("bye")]);
    expect(await read(body, [], `multipart/form-data; boundary="${quoted}"`)).toEqual({ model: "m", isStream: false });
  });

  test.each(["true", "True", "1", "on", "yes", " TRUE "])("asks for a stream with %p", async (value) => {
    expect((await read(formBytes([MODEL, { name: "stream", value }, TRICKY]))).isStream).toBe(true);
  });

  test.each(["false", "0", "", "no", "truest"])("asks for no stream with %p", async (value) => {
    expect((await read(formBytes([MODEL, { name: "stream", value }, TRICKY]))).isStream).toBe(false);
  });

  test.each([
    ["without a name, but of a type of its own", 'name="file"', "Content-Type: audio/wav\r\n"],
    ["with an empty name", 'name="file"; filename=""', ""],
    ["with a name in the form of RFC 5987", `name="file"; filename*=utf-8''%C3%BC.wav`, ""],
  ])("may have a file %s", async (_how, names, type) => {
    const file = `--${BOUNDARY}\r\nContent-Disposition: form-data; ${names}\r\n${type}\r\nRIFF\r\n`;
    expect((await read(Buffer.concat([Buffer.from(file), formBytes([MODEL])]))).model).toBe("m");
  });

  test("may have long other fields, of which only two are kept", async () => {
    const prompt: FormField = { name: "prompt", value: "x".repeat(3_000_000) };
    expect((await read(formBytes([prompt, MODEL, TRICKY]))).model).toBe("m");
  });
});

describe("an invalid form is refused by what it lacks:", () => {
  test.each([
    ["a model", formBytes([TRICKY]), "model"],
    ["a file", formBytes([MODEL]), "file"],
    ["a file that is one and not text", formBytes([MODEL, { name: "file", value: "hello" }]), "file"],
    ["a file that is one and not text, however long", formBytes([{ name: "file", value: "x".repeat(9000) }]), "file"],
    ["a model that is not empty", formBytes([TRICKY, { name: "model", value: "" }]), "model"],
    ["a model of bearable length", formBytes([TRICKY, { name: "model", value: "m".repeat(2000) }]), "model"],
    ["one model", formBytes([TRICKY, MODEL, { name: "model", value: "n" }]), "model"],
    ["its end", formBytes([MODEL, TRICKY]).subarray(0, -4), null],
    ["anything", Buffer.from(""), null],
    ["parts", Buffer.from("hello"), null],
  ])("%s", async (_what, body, param) => {
    const fault = await faultOf(read(body));
    expect({ code: fault.code, param: fault.param }).toEqual({ code: "invalid_request", param });
  });

  test("a file, and how curl sends one", async () => {
    const { message } = await faultOf(read(formBytes([{ name: "file", value: "hello" }, MODEL])));
    expect(message).toContain("file=@");
  });

  test("an end, wherever it is cut off", async () => {
    const body = formBytes([MODEL, TRICKY, WORDS]);
    // The last line break is no part of the closing boundary.
    for (let length = 0; length < body.length - 2; length += 1) {
      expect((await faultOf(read(body.subarray(0, length)))).code).toBe("invalid_request");
    }
  });

  test.each([
    ["no type", null, "unsupported_media_type", "content-type"],
    ["JSON", "application/json", "unsupported_media_type", "content-type"],
    ["another form", "application/x-www-form-urlencoded", "unsupported_media_type", "content-type"],
    ["no boundary", "multipart/form-data", "invalid_request", "boundary"],
    ["an empty boundary", "multipart/form-data; boundary=", "invalid_request", "boundary"],
    ["an endless boundary", `multipart/form-data; boundary=${"x".repeat(300)}`, "invalid_request", "boundary"],
  ])("a type: %s", async (_what, type, code, param) => {
    const fault = await faultOf((async () => new FormReader(type, AUDIO_FORM))());
    expect({ code: fault.code as string, param: fault.param }).toEqual({ code, param });
  });

  test("fewer parts than a server should read", async () => {
    const body = formBytes([MODEL, ...Array.from({ length: 1100 }, () => WORDS), TRICKY]);
    expect((await faultOf(read(body))).message).toContain("1000 parts");
  });
});

describe("a form of another plugin", () => {
  const SPEC: FormSpec = {
    awaited: "collection",
    awaitedUse: "names the collection",
    content: "the document",
    sampleFile: "report.pdf",
  };
  const COLLECTION: FormField = { name: "collection", value: "letters" };

  test("waits for its own field, and treats 'model' like any other", async () => {
    const form = new FormReader(FORM_TYPE, SPEC);
    await form.write(formBytes([MODEL, { name: "model", value: "two" }, COLLECTION, TRICKY]));
    expect(form.awaited).toBe("letters");
    await form.end();
  });

  test.each([
    [[TRICKY], "collection", "The form has no field 'collection', which names the collection."],
    [[COLLECTION], "file", "The form has no field 'file', which holds the document."],
    [
      [COLLECTION, { ...COLLECTION, value: "other" }, TRICKY],
      "collection",
      "The multipart form cannot be used: its field 'collection' has two values.",
    ],
    [
      [COLLECTION, { name: "file", value: "@report.pdf" }],
      "file",
      "The multipart form cannot be used: its field 'file' is text and not a file (with curl: -F file=@report.pdf, with the @).",
    ],
  ])("that is wrong is refused with its plugin's text", async (fields, param, message) => {
    const form = new FormReader(FORM_TYPE, SPEC);
    const fault = await faultOf(form.write(formBytes(fields)).then(() => form.end()));
    expect(fault.body().error).toMatchObject({ code: "invalid_request", param, message });
  });
});

test.each([
  [
    "blanks after its boundary lines",
    Buffer.from(formBytes([MODEL, TRICKY]))
      .toString("latin1")
      .replaceAll(BOUNDARY, `${BOUNDARY} `),
  ],
  [
    "another boundary than its Content-Type",
    Buffer.from(formBytes([MODEL, TRICKY]))
      .toString("latin1")
      .replaceAll(BOUNDARY, "other"),
  ],
])("a form with %s is refused for that, and not for a field that it has", async (_, text) => {
  const fault = await faultOf(read(Buffer.from(text, "latin1")));
  expect(fault.body().error).toMatchObject({ code: "invalid_request", param: null });
  expect(fault.message).toContain("none of its lines is the boundary");
});
