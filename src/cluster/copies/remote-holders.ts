import * as v from "valibot";
import type { Calls } from "../../plugin/cluster.ts";
import type { Clock } from "../../system/deps.ts";
import type { IdHolder } from "../../tunnel/id-search.ts";
import type { HeldSession } from "../../tunnel/session-watch.ts";
import type { PeerWorker, PeerWorkers } from "./peer-workers.ts";

/** The question whether a worker gives a sign of life, `{session}`. The answer is true or false. */
const PING_QUESTION = "ping_worker";
/** How long a worker has to answer the ping of its server, and how often its server looks. */
const PONG_MS = 5000;
const LOOK_MS = 50;
/** How long the other server has for its answer. */
const ANSWER_MS = PONG_MS + 500;

const questionSchema = v.object({ session: v.pipe(v.string(), v.maxLength(200)) });

export interface RemoteHoldersOptions {
  readonly clock: Clock;
  readonly calls: Calls;
  /** Finds a session of this server. */
  readonly sessionOf: (sessionId: string) => HeldSession | undefined;
}

/**
 * Finds workers of other servers that have the id which a legacy agent here gives as its own. Two such agents may share a
 * name. But an agent whose server has not noticed that the connection is lost must get its id back, so that server is asked
 * to ping it.
 */
export class RemoteHolders {
  readonly #options: RemoteHoldersOptions;
  readonly #holders = new WeakMap<PeerWorker, RemoteHolder>();

  constructor(options: RemoteHoldersOptions) {
    this.#options = options;
    options.calls.answer(PING_QUESTION, (question) => {
      const asked = v.safeParse(questionSchema, question);
      return asked.success && this.#isAlive(asked.output.session);
    });
  }

  /** Returns the worker that has an id at another server; undefined if none has, or if it was told to leave. */
  holderOf(workers: PeerWorkers, workerId: string): IdHolder | undefined {
    const worker = workers.find(workerId);
    if (!worker || worker.row.isLeaving) return undefined;
    const known = this.#holders.get(worker);
    if (known) return known;
    const holder = new RemoteHolder(worker, this.#options);
    this.#holders.set(worker, holder);
    return holder;
  }

  /** Pings a worker of this server; resolves with whether it answers. */
  #isAlive(sessionId: string): Promise<boolean> {
    const { clock, sessionOf } = this.#options;
    const held = sessionOf(sessionId);
    if (!held) return Promise.resolve(false);
    const askedAt = clock.elapsed();
    held.ping();
    return new Promise((resolve) => {
      const look = (): void => {
        const agoMs = clock.elapsed() - askedAt;
        if (held.session.silentMs < agoMs) resolve(true);
        else if (agoMs >= PONG_MS || sessionOf(sessionId) !== held) resolve(false);
        else clock.after(LOOK_MS, look);
      };
      clock.after(LOOK_MS, look);
    });
  }
}

class RemoteHolder implements IdHolder {
  lastHeardAt = Number.NEGATIVE_INFINITY;
  readonly #worker: PeerWorker;
  readonly #options: Pick<RemoteHoldersOptions, "calls" | "clock">;
  #isAsked = false;

  constructor(worker: PeerWorker, options: Pick<RemoteHoldersOptions, "calls" | "clock">) {
    this.#worker = worker;
    this.#options = options;
  }

  ping(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const { calls, clock } = this.#options;
    const { peer, row } = this.#worker;
    void calls.ask(peer.id, PING_QUESTION, { session: row.session }, ANSWER_MS).then((result) => {
      this.#isAsked = false;
      if (result.kind === "answer" && result.body === true) this.lastHeardAt = clock.elapsed();
    });
  }
}
