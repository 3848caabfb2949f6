import type { OfServer, TrailPlace } from "../plugin/joined-trails.ts";
import type { AllCalls, AllCallsQuery, CallPage } from "./all-calls.ts";
import type { PastCall } from "./past-call.ts";

/** The calls of one page of an export, which are in memory together. */
export const EXPORT_PAGE = 500;

export interface CallExportOptions {
  readonly calls: Pick<AllCalls, "read">;
  readonly query: Omit<AllCallsQuery, "limit">;
  /** The most calls. */
  readonly limit: number;
  /** Returns a call as one line, without its line break. */
  readonly lineOf: (call: OfServer<PastCall>) => string;
  /** Whether the reader may still read. */
  readonly isCurrent: () => boolean;
}

/**
 * Sends calls as lines, one page at a time and no faster than the client takes them. The stream breaks off if the reader loses
 * access, or if a server that answered earlier stops answering. An export that ends in order is therefore complete, except for the
 * servers that were named as missing.
 */
export class CallExport {
  readonly #options: CallExportOptions;
  readonly #encoder = new TextEncoder();
  #left: number;
  /** Undefined once the last page is there. */
  #next: { readonly after: TrailPlace | undefined } | undefined;
  #missing: ReadonlySet<string> | undefined;

  constructor(options: CallExportOptions) {
    this.#options = options;
    this.#left = options.limit;
    this.#next = { after: options.query.after };
  }

  /** Resolves to the stream, and to the servers whose calls are not in it. Rejects like `AllCalls.read`. */
  async open(): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly missing: readonly string[] }> {
    let first: CallPage | undefined = await this.#read();
    const { missing } = first;
    this.#missing = new Set(missing);
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const page = first ?? (await this.#read());
          first = undefined;
          const lines = page.entries.map((call) => `${this.#options.lineOf(call)}\n`).join("");
          if (lines !== "") controller.enqueue(this.#encoder.encode(lines));
          if (!this.#next) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return { body, missing };
  }

  async #read(): Promise<CallPage> {
    const { calls, query, isCurrent } = this.#options;
    const { after } = this.#next ?? query;
    if (!isCurrent()) throw new Error("the sign-in of the export has ended");
    const page = await calls.read({ ...query, after, limit: Math.min(EXPORT_PAGE, this.#left) });
    if (this.#missing && page.missing.some((server) => !this.#missing?.has(server)))
      throw new Error("a server of the cluster has not answered in the middle of an export");
    this.#left -= page.entries.length;
    this.#next = page.next && this.#left > 0 ? { after: page.next } : undefined;
    return page;
  }
}
