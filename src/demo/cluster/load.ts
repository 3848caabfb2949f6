import { pickByWeight, weightsAt } from "./leaning.ts";

/** A server that the load may ask. */
export interface LoadTarget {
  readonly url: string;
  /** Whether a load balancer would send new requests there. */
  readonly isTaking: boolean;
}

export interface LoadFigures {
  /** Streams that run now, in all and at each server that they entered. */
  readonly running: number;
  readonly runningAt: readonly number[];
  /** Streams and chats that ended as they should. */
  readonly whole: number;
  /** Streams that ended without their last event. */
  readonly broken: number;
  /** Requests that got no response from one server and were sent to another one, as SDKs do. */
  readonly retried: number;
}

/** What became of requests that were under way at one moment. */
export interface Fate {
  readonly whole: number;
  readonly broken: number;
  /** Requests that got no response before they were sent again. */
  readonly retried: number;
}

export interface LoadOptions {
  readonly servers: readonly LoadTarget[];
  readonly apiKey: string;
  readonly model: string;
}

/** A client gives up on a server that sends nothing for this long. */
const SILENCE_MS = 5000;
const RETRY_AFTER_MS = 200;
/** Words in a stream: the sample sends 25 a second. */
const FEWEST_WORDS = 60;
const MOST_WORDS = 200;
/** One in this many requests of a client is a chat without a stream. */
const CHAT_EVERY = 4;

type Outcome = "whole" | "broken" | "unanswered";

/** Clients that send one request after the other. They favour one server after the other. */
export class Load {
  readonly #options: LoadOptions;
  readonly #startedAt = performance.now();
  readonly #runningAt: number[];
  readonly #clients: AbortController[] = [];
  readonly #asked = new Set<Promise<Outcome>>();
  #whole = 0;
  #broken = 0;
  #retried = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#runningAt = options.servers.map(() => 0);
  }

  get figures(): LoadFigures {
    return {
      running: this.#runningAt.reduce((sum, each) => sum + each, 0),
      runningAt: [...this.#runningAt],
      whole: this.#whole,
      broken: this.#broken,
      retried: this.#retried,
    };
  }

  /** Changes the number of clients. Those that are too many finish what they are reading. */
  setClients(count: number): void {
    for (const client of this.#clients.splice(count)) client.abort();
    while (this.#clients.length < count) {
      const client = new AbortController();
      this.#clients.push(client);
      void this.#run(client.signal);
    }
  }

  /** Resolves when the requests that are under way now have ended. */
  async fate(): Promise<Fate> {
    const outcomes = await Promise.all(this.#asked);
    const count = (outcome: Outcome): number => outcomes.filter((each) => each === outcome).length;
    return { whole: count("whole"), broken: count("broken"), retried: count("unanswered") };
  }

  async #run(leaving: AbortSignal): Promise<void> {
    for (let count = 1; !leaving.aborted; count += 1) {
      const at = this.#choose();
      const outcome = at === undefined ? "unanswered" : await this.#remember(this.#ask(at, count % CHAT_EVERY !== 0));
      switch (outcome) {
        case "whole":
          this.#whole += 1;
          break;
        case "broken":
          this.#broken += 1;
          break;
        case "unanswered":
          this.#retried += 1;
          await Bun.sleep(RETRY_AFTER_MS);
          break;
        default:
          outcome satisfies never;
      }
    }
  }

  async #remember(asked: Promise<Outcome>): Promise<Outcome> {
    this.#asked.add(asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(asked);
    }
  }

  #choose(): number | undefined {
    const { servers } = this.#options;
    const weights = weightsAt(performance.now() - this.#startedAt, servers.length);
    return pickByWeight(
      weights.map((weight, at) => (servers[at]?.isTaking ? weight : 0)),
      Math.random(),
    );
  }

  async #ask(at: number, isStream: boolean): Promise<Outcome> {
    const words = FEWEST_WORDS + Math.floor(Math.random() * (MOST_WORDS - FEWEST_WORDS));
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    let hasBegun = false;
    try {
      const response = await fetch(`${this.#options.servers[at]?.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.#options.apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: this.#options.model,
          stream: isStream,
          messages: [{ role: "user", content: Array(words).fill("harbour").join(" ") }],
        }),
        signal: silence.signal,
      });
      if (response.status !== 200) return "unanswered";
      if (!isStream) return (await response.text()).endsWith("}") ? "whole" : "broken";
      hasBegun = true;
      this.#count(at, 1);
      let last = "";
      for await (const bytes of response.body ?? []) {
        timer.refresh();
        last = (last + new TextDecoder().decode(bytes)).slice(-DONE.length);
      }
      return last === DONE ? "whole" : "broken";
    } catch {
      // The connection broke, or the server was silent for too long.
      return hasBegun ? "broken" : "unanswered";
    } finally {
      clearTimeout(timer);
      if (hasBegun) this.#count(at, -1);
    }
  }

  #count(at: number, change: number): void {
    this.#runningAt[at] = (this.#runningAt[at] ?? 0) + change;
  }
}

const DONE = "data: [DONE]\n\n";
