/** A field of a form; a file if it has a `filename`. */
export interface FormField {
  readonly name: string;
  readonly value: string | Uint8Array;
  readonly filename?: string;
}

export const BOUNDARY = "----moorage-test-boundary";
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** Returns the exact bytes of a form with these fields, in this order. */
export function formBytes(fields: readonly FormField[], boundary = BOUNDARY): Buffer {
  const parts = fields.flatMap(({ name, value, filename }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${
        filename === undefined ? "" : `; filename="${filename}"\r\nContent-Type: audio/wav`
      }\r\n\r\n`,
    ),
    Buffer.from(value as string), // a string or bytes; each overload accepts only one of them
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
}

export const MODEL: FormField = { name: "model", value: "m" };

/** Returns a file of `bytes` pseudo-random bytes, in which swapped, lost or doubled bytes are noticed. */
export function sound(bytes: number, seed = 1): FormField {
  const value = new Uint8Array(bytes);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < bytes; at += 1) {
    // xorshift32 is fast and does not produce the form's boundary by accident.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    value[at] = state & 0xff;
  }
  return { name: "file", value, filename: "speech.wav" };
}
