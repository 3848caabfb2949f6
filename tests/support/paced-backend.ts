import { startBackend } from "./test-worker.ts";

/** A model server whose streams consist of numbered events, so that a client can tell whether one is whole. */
export class PacedBackend {
  readonly #chunks: number;
  readonly #everyMs: number;
  readonly #server: ReturnType<typeof startBackend>;
  #asked = 0;
  #open = 0;
  #left = 0;
  #isHeld = false;

  /** A stream has `chunks` events with `everyMs` between them. */
  constructor({
    models = ["m"],
    chunks = 40,
    everyMs = 50,
  }: { models?: readonly string[]; chunks?: number; everyMs?: number } = {}) {
    this.#chunks = chunks;
    this.#everyMs = everyMs;
    this.#server = startBackend((request) => this.#answer(request), { models });
  }

  get url(): string {
    return this.#server.url;
  }

  /** Number of requests that have arrived. */
  get asked(): number {
    return this.#asked;
  }

  /** Number of streams that run. */
  get open(): number {
    return this.#open;
  }

  /** Number of requests whose client left before the end. */
  get left(): number {
    return this.#left;
  }

  /** From now on streams stand still after the next event, until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  async #answer(request: Request): Promise<Response> {
    this.#asked += 1;
    request.signal.addEventListener("abort", () => {
      this.#left += 1;
    });
    const { stream } = (await request.json()) as { stream?: boolean }; // from the clients of the tests
    if (!stream) return Response.json({ choices: [{ message: { content: "whole" } }] });
    return new Response(this.#events(request.signal), { headers: { "content-type": "text/event-stream" } });
  }

  async *#events(signal: AbortSignal): AsyncGenerator<string> {
    this.#open += 1;
    try {
      for (let count = 0; count < this.#chunks && !signal.aborted; count += 1) {
        yield `data: ${JSON.stringify({ count })}\n\n`;
        do await Bun.sleep(this.#everyMs);
        while (this.#isHeld && !signal.aborted);
      }
      yield "data: [DONE]\n\n";
    } finally {
      this.#open -= 1;
    }
  }

  /** Returns why `text` is not a whole stream of this backend; undefined if it is one. Comments of the server are skipped. */
  problemIn(text: string): string | undefined {
    const events = text
      .replaceAll(/^:.*\n+/gm, "")
      .split("\n\n")
      .filter((event) => event !== "");
    const wanted = Array.from({ length: this.#chunks }, (_, count) => `data: ${JSON.stringify({ count })}`);
    if (events.join() === [...wanted, "data: [DONE]"].join()) return undefined;
    return `${events.length} events, the last one ${text.trim().slice(-300)}`;
  }
}
