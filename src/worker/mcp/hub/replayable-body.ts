import type { ByteReader } from "../../../wire/byte-reader.ts";

/** A body that is read piece by piece, and can be given to another reader from its beginning. */
export class ReplayableBody {
  readonly #reader: ByteReader | undefined;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** How the body ended; undefined while it has not. */
  #end: { readonly error?: unknown } | undefined;

  constructor(body: Uint8Array | ReadableStream<Uint8Array> | null) {
    if (body instanceof ReadableStream) this.#reader = body.getReader();
    else {
      this.#add(body ?? new Uint8Array(0));
      this.#end = {};
    }
  }

  /** How many bytes have been read. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasFailed(): boolean {
    return this.#end !== undefined && "error" in this.#end;
  }

  /** Reads one more piece. Resolves with false at the end of the body, also where it broke off. */
  async next(): Promise<boolean> {
    if (this.#end || !this.#reader) return false;
    try {
      const { done, value } = await this.#reader.read();
      if (done || value === undefined) this.#end = {};
      else this.#add(value);
    } catch (error) {
      this.#end = { error };
    }
    return this.#end === undefined;
  }

  /** What has been read. */
  joined(): Uint8Array {
    const [only, second] = this.#pieces;
    if (only && !second) return only;
    const all = Buffer.concat(this.#pieces);
    this.#pieces.splice(0, this.#pieces.length, all);
    return all;
  }

  /** Returns the whole body. Nothing may be read here afterwards. */
  replay(): ReadableStream<Uint8Array> {
    const pieces = [...this.#pieces];
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      const piece = pieces.shift();
      if (piece) return controller.enqueue(piece);
      if (!this.#end) {
        const { done, value } = (await this.#reader?.read()) ?? { done: true };
        return done || value === undefined ? controller.close() : controller.enqueue(value);
      }
      if ("error" in this.#end) controller.error(this.#end.error);
      else controller.close();
    };
    const cancel = (reason: unknown): Promise<void> => this.#reader?.cancel(reason) ?? Promise.resolve();
    return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
  }

  #add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }
}
