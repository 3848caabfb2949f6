/** One key's requests to one server. */
export class Client {
  readonly #url: string;
  readonly #key: string;
  readonly #leaving = new AbortController();

  constructor(serverUrl: string, key: string) {
    this.#url = `${serverUrl}/v1/chat/completions`;
    this.#key = key;
  }

  /** Sends a request for a job of this many milliseconds. Never rejects: a client that has left gets status 0. */
  async ask(jobMs: number): Promise<Answer> {
    const sentAt = performance.now();
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${this.#key}` },
        body: JSON.stringify({ model: `job-${jobMs}ms`, messages: [{ role: "user", content: "What floats?" }] }),
        signal: this.#leaving.signal,
      });
      const { error } = (await response.json()) as { error?: { code?: string } }; // The server and our backend answer so.
      return { status: response.status, code: error?.code, ms: performance.now() - sentAt };
    } catch (error) {
      if (!this.#leaving.signal.aborted) throw error;
      return { status: 0, code: undefined, ms: performance.now() - sentAt };
    }
  }

  /** Keeps this many requests open until the client leaves, and calls `onAnswer` for each that was answered. */
  async keepOpen(count: number, jobMs: number, onAnswer: (answer: Answer) => void): Promise<void> {
    const lane = async (): Promise<void> => {
      while (!this.#leaving.signal.aborted) {
        const answer = await this.ask(jobMs);
        if (answer.status !== 0) onAnswer(answer);
        // A refusal comes at once; without a pause the load would be nothing but refusals.
        if (answer.status !== 200) await Bun.sleep(jobMs);
      }
    };
    await Promise.all(Array.from({ length: count }, lane));
  }

  /** Drops the connections of all its requests. */
  leave(): void {
    this.#leaving.abort();
  }
}

export interface Answer {
  readonly status: number;
  /** The code of an error. */
  readonly code: string | undefined;
  /** Milliseconds from the request to the whole answer. */
  readonly ms: number;
}
