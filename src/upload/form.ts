import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { Fault } from "../errors.ts";

/**
 * Longest value of a text field that is read. Models' names have 512 characters at most; the rest is room for white
 * space.
 */
const MAX_FIELD_BYTES = 1024;
/** Most parts of a form. A transcription request has about a dozen fields, some of them repeated. */
const MAX_PARTS = 1000;
/** RFC 2046 §5.1.1 allows 70 characters; some clients use a few more. */
const MAX_BOUNDARY_CHARS = 200;
/** The texts that clients write for true: the words of Python and JavaScript, and the forms that FastAPI backends accept. */
const TRUE = /^(?:true|1|on|yes|t|y)$/i;
/** The type of a part that states none (RFC 7578 §4.4). */
const PLAIN_TEXT = "text/plain";

/** The fields that the form of an upload must have, and the words for them in errors. */
export interface FormSpec {
  /** The text field that decides where the upload goes: `model`. */
  readonly awaited: string;
  /** Completes "The form has no field 'model', which …": "names the model". */
  readonly awaitedUse: string;
  /** The content of the field `file`: "the audio". */
  readonly content: string;
  /** A file name for the hint on how curl sends a file: "speech.wav". */
  readonly sampleFile: string;
}

/**
 * Reads a multipart form that passes by, for its awaited field, for `stream`, and for whether it has a `file`. Everything
 * else is skipped as it comes, and nothing of it is kept.
 */
export class FormReader {
  readonly #spec: FormSpec;
  readonly #parser: BusboyInstance;
  readonly #finished = Promise.withResolvers<void>();
  #awaited: string | undefined;
  #isStream = false;
  #hasPart = false;
  #hasFile = false;
  #fault: Fault | undefined;
  #stopWaiting = (): void => {};

  /** Throws `unsupported_media_type` for another content type, `invalid_request` for a form without a usable boundary. */
  constructor(contentType: string | null, spec: FormSpec) {
    this.#spec = spec;
    this.#parser = new Busboy({
      headers: { "content-type": checkedType(contentType, spec) },
      // A file's bytes are skipped within `write`: none waits for a later turn.
      fileHwm: 1,
      limits: { fieldSize: MAX_FIELD_BYTES, parts: MAX_PARTS },
      isPartAFile: (name, type, filename) => {
        this.#hasPart = true;
        // A file needs no name (RFC 7578 §4.2), but backends take a part with neither a name nor a type for text.
        if (name === "file" && filename === undefined && type === PLAIN_TEXT) this.#refuseText();
        return name !== spec.awaited && name !== "stream";
      },
    });
    this.#parser
      .on("field", (name, value, isNameCut, isValueCut) => this.#onField(name, value, isNameCut || isValueCut))
      .on("file", (name, part) => {
        if (name === "file") this.#hasFile = true;
        // The form's own `error` follows and says the same.
        part.on("error", () => {}).resume();
      })
      .on("partsLimit", () => this.#fail(`it has more than ${MAX_PARTS} parts`))
      .on("error", () => (this.#hasPart ? this.#fail("it breaks off or is not well-formed") : this.#fail(NO_PART)))
      .on("finish", () => this.#finished.resolve());
  }

  /** The value of the awaited field; undefined until that field has passed. */
  get awaited(): string | undefined {
    return this.#awaited;
  }

  /** Whether the form asks for an event stream. Final only after `end`. */
  get isStream(): boolean {
    return this.#isStream;
  }

  /**
   * Takes the form's next bytes and keeps none of them once it is done. Rejects with `invalid_request` as soon as they
   * cannot be part of such a form.
   */
  async write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      // A parser that has given up may never call back.
      this.#stopWaiting = resolve;
      this.#parser.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), () => resolve());
    });
    // The parser reports fields one turn later.
    if (this.#awaited === undefined) await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#fault) throw this.#fault;
  }

  /** Ends the form. Rejects with an `invalid_request` that names what is missing. */
  async end(): Promise<void> {
    this.#parser.end();
    await this.#finished.promise;
    if (this.#fault) throw this.#fault;
    const { awaited, awaitedUse, content } = this.#spec;
    if (!this.#hasPart) this.#fail(NO_PART);
    if (this.#fault) throw this.#fault;
    if (this.#awaited === undefined) throw missing(awaited, awaitedUse);
    if (!this.#hasFile) throw missing("file", `holds ${content}`);
  }

  #onField(name: string, value: string, isCut: boolean): void {
    if (name === "stream") {
      this.#isStream = TRUE.test(value.trim());
      return;
    }
    const { awaited } = this.#spec;
    if (name !== awaited) return;
    if (isCut || value === "") return this.#fail(`its field '${awaited}' is empty or too long`, awaited);
    // The upload may already be on its way to the worker that the first value has chosen.
    if (this.#awaited !== undefined && this.#awaited !== value)
      return this.#fail(`its field '${awaited}' has two values`, awaited);
    this.#awaited = value;
  }

  #refuseText(): void {
    const hint = `with curl: -F file=@${this.#spec.sampleFile}, with the @`;
    this.#fail(`its field 'file' is text and not a file (${hint})`, "file");
  }

  #fail(why: string, param?: string): void {
    this.#fault ??= new Fault("invalid_request", {
      message: `The multipart form cannot be used: ${why}.`,
      ...(param === undefined ? {} : { param }),
    });
    this.#finished.resolve();
    this.#stopWaiting();
  }
}

/** RFC 2046 §5.1.1 allows blanks after a boundary, which no known client sends and the parser does not take. */
const NO_PART = "none of its lines is the boundary that its Content-Type names, without blanks after it";

/** Returns the boundary that a form's content type names; empty for none. */
export function boundaryIn(contentType: string): string {
  const boundary = /;\s*boundary=(?:"([^"]*)"|([^\s;]*))/i.exec(contentType);
  return boundary?.[1] ?? boundary?.[2] ?? "";
}

function checkedType(contentType: string | null, { content }: FormSpec): string {
  if (contentType === null || !/^multipart\/form-data\s*(?:;|$)/i.test(contentType)) {
    throw new Fault("unsupported_media_type", {
      message: `Send ${content} as a form, with 'Content-Type: multipart/form-data' (curl does that with -F).`,
      param: "content-type",
    });
  }
  const text = boundaryIn(contentType);
  if (text === "" || text.length > MAX_BOUNDARY_CHARS) {
    throw new Fault("invalid_request", {
      message: "The Content-Type has no usable boundary; leave it to the HTTP library, which makes one for each form.",
      param: "boundary",
    });
  }
  return contentType;
}

function missing(param: string, what: string): Fault {
  return new Fault("invalid_request", { message: `The form has no field '${param}', which ${what}.`, param });
}
