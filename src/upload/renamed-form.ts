import { Fault } from "../errors.ts";

/** The value of one field of a multipart form, and the value that takes its place. */
export interface Renaming {
  readonly boundary: string;
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** Longest header block of a part. */
const MAX_HEAD_BYTES = 16 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

/**
 * Returns a form with another value in one field and everything else unchanged. The stream fails with `invalid_request`
 * for a form that does not contain the field exactly once with the value `from`, since the reader of the form has seen
 * another value then. Reads only as far as it is read.
 */
export function renamedForm(form: ReadableStream<Uint8Array>, renaming: Renaming): ReadableStream<Uint8Array> {
  const reader = form.getReader();
  const rewriter = new FormRewriter(renaming);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read();
          const bytes = done ? rewriter.end() : rewriter.push(value);
          if (bytes.length > 0) controller.enqueue(bytes);
          if (done) return controller.close();
          if (bytes.length > 0) return;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Rewrites a form that comes in pieces of any size. */
class FormRewriter {
  readonly #renaming: Renaming;
  /** The line break and the boundary that end a part. */
  readonly #delimiter: Buffer;
  /** Where in the form the next byte belongs. The last one is the epilogue. */
  #state: "start" | "content" | "head" | "value" | "rest" = "start";
  /** Bytes that could not be judged yet. */
  #held: Buffer = Buffer.alloc(0);
  #isFound = false;

  constructor(renaming: Renaming) {
    this.#renaming = renaming;
    this.#delimiter = Buffer.from(`\r\n--${renaming.boundary}`);
  }

  /** Takes the form's next bytes, and returns the bytes that are ready to be passed on. */
  push(bytes: Uint8Array): Buffer {
    const out: Buffer[] = [];
    let rest = Buffer.concat([this.#held, bytes]);
    for (;;) {
      const taken = this.#step(rest, out);
      if (taken === undefined) break;
      rest = rest.subarray(taken);
    }
    this.#held = rest;
    return Buffer.concat(out);
  }

  /** Ends the form, and returns the bytes that are left. */
  end(): Buffer {
    if (!this.#isFound) throw unusable(`its field '${this.#renaming.field}' was not found again`);
    return this.#held;
  }

  /** Judges the bytes up to the next change of state. Returns how many were taken; undefined if more are needed. */
  #step(bytes: Buffer, out: Buffer[]): number | undefined {
    switch (this.#state) {
      case "start": {
        // The first boundary has no line break before it.
        const boundary = this.#delimiter.subarray(2);
        if (bytes.length < boundary.length) return undefined;
        const isBoundary = bytes.subarray(0, boundary.length).equals(boundary);
        this.#state = isBoundary ? "head" : "content";
        if (!isBoundary) return 0;
        out.push(boundary);
        return boundary.length;
      }
      case "content": {
        const at = bytes.indexOf(this.#delimiter);
        // The end may be the beginning of a delimiter.
        const ready = at < 0 ? bytes.length - this.#delimiter.length + 1 : at + this.#delimiter.length;
        if (at >= 0) this.#state = "head";
        else if (ready <= 0) return undefined;
        out.push(bytes.subarray(0, ready));
        return ready;
      }
      case "head": {
        if (bytes.length >= 2 && bytes[0] === DASH && bytes[1] === DASH) {
          this.#state = "rest";
          return 0;
        }
        const at = bytes.indexOf(HEAD_END);
        if (at < 0) {
          if (bytes.length > MAX_HEAD_BYTES) throw unusable("a part has too large a head");
          return undefined;
        }
        const end = at + HEAD_END.length;
        this.#state = nameIn(bytes.toString("utf8", 0, at)) === this.#renaming.field ? "value" : "content";
        out.push(bytes.subarray(0, end));
        return end;
      }
      case "value": {
        const { from, to, field } = this.#renaming;
        const wanted = Buffer.from(from);
        if (bytes.length < wanted.length + this.#delimiter.length) return undefined;
        if (this.#isFound) throw unusable(`its field '${field}' is there twice`);
        if (!bytes.subarray(0, wanted.length).equals(wanted) || bytes.indexOf(this.#delimiter) !== wanted.length)
          throw unusable(`its field '${field}' is not plain UTF-8`);
        this.#isFound = true;
        this.#state = "content";
        out.push(Buffer.from(to));
        return wanted.length;
      }
      case "rest":
        if (bytes.length === 0) return undefined;
        out.push(bytes);
        return bytes.length;
    }
  }
}

const DASH = 0x2d;

/** Matches one parameter of a header, whose quoted value may hold what looks like another one. */
const PARAMETER = /;\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/g;

/** The name of a part, from its header block. */
function nameIn(head: string): string | undefined {
  const disposition = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? "";
  for (const [, name, quoted, plain] of disposition.matchAll(PARAMETER))
    if (name?.toLowerCase() === "name") return quoted?.replace(/\\(.)/g, "$1") ?? plain;
  return undefined;
}

function unusable(why: string): Fault {
  return new Fault("invalid_request", { message: `The multipart form cannot be used: ${why}.`, param: "model" });
}
