/** One field of a form; with `filename` it is a file. */
export interface FormField {
  readonly name: string;
  readonly value: string | Uint8Array;
  readonly filename?: string;
}

export const BOUNDARY = "----moorage-test-boundary";
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** A form's exact bytes, with the fields in the order given. */
export function formBytes(fields: readonly FormField[], boundary = BOUNDARY): Buffer {
  const parts = fields.flatMap(({ name, value, filename }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${
        filename === undefined ? "" : `; filename="${filename}"\r\nContent-Type: audio/wav`
      }\r\n\r\n`,
    ),
    Buffer.from(value as string), // either kind; the overloads only know them one by one
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
}

export const MODEL: FormField = { name: "model", value: "m" };

/** `bytes` of sound, none of it alike: bytes that were swapped, lost or doubled show. */
export function sound(bytes: number, seed = 1): FormField {
  const value = new Uint8Array(bytes);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < bytes; at += 1) {
    // xorshift32: quick, and never a boundary by accident in a test's life.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    value[at] = state & 0xff;
  }
  return { name: "file", value, filename: "speech.wav" };
}
