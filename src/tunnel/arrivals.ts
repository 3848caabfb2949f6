import type { CancelTimer, Clock } from "../system/deps.ts";
import { CLOSES, type Close } from "../wire/closes.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import type { Dialect } from "./dialect.ts";
import type { Hello } from "./greeting.ts";
import type { IdSearch } from "./id-search.ts";
import type { Claimant } from "./owners.ts";
import type { Applicant } from "./session-source.ts";
import { hasDrained, MAX_MESSAGE_BYTES, type SocketHandlers, type WorkerSocket } from "./sockets.ts";
import { TurnShare } from "./turn-share.ts";
import type { WorkerSession } from "./worker-session.ts";

/** A peer whose first message and key were accepted. */
export interface Newcomer {
  readonly ws: WorkerSocket;
  readonly dialect: Dialect["name"];
  readonly hello: Hello;
  /** The id that it gave itself, or that the server made for it. */
  readonly workerId: string;
  readonly claimant: Claimant;
  /** The name of its key or role, for the log. */
  readonly caller: string;
  readonly applicant: Applicant;
  /** What its key allows; everything unless given. */
  readonly terms: WorkerTerms | undefined;
  /** The key that was made for it just now. */
  readonly credential: string | undefined;
}

/** What becomes of the sockets that arrive. */
export interface Reception {
  /**
   * Reads a socket's first message. Returns undefined for a peer that was refused, and a promise for one that joins, which
   * takes a moment.
   */
  greet(
    ws: WorkerSocket,
    message: string | Buffer,
    dialect: Dialect["name"],
    applicant: Applicant,
  ): Newcomer | Promise<Newcomer | undefined> | undefined;
  /**
   * Starts to search for an id, if the newcomer cannot have its own at once. `onFound` is called later, without an id if
   * none is free.
   */
  searchId(newcomer: Newcomer, onFound: (id: string | undefined) => void): IdSearch | undefined;
  /** Makes a session of a newcomer. Returns undefined if it was refused. */
  register(newcomer: Newcomer, id: string): WorkerSession | undefined;
  refuse(ws: WorkerSocket, close: Close, applicant: Applicant, hello?: Hello): void;
}

export interface ArrivalsOptions {
  readonly clock: Clock;
  readonly registerTimeoutMs: number;
  /** The largest message, in bytes, of a legacy worker that has registered. */
  readonly maxLegacyBytes: number;
  readonly reception: Reception;
}

/** Leads each socket from its opening to its session, and passes its events on from then. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #closings: TurnShare;
  #unregistered = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#closings = new TurnShare(options.clock);
  }

  /** Sockets that are open but have no session yet. */
  get unregistered(): number {
    return this.#unregistered;
  }

  /** Returns the handlers of the next socket. */
  next(dialect: Dialect["name"], applicant: Applicant): SocketHandlers {
    const { clock, registerTimeoutMs, reception } = this.#options;
    const maxSessionBytes = dialect === "legacy" ? this.#options.maxLegacyBytes : MAX_MESSAGE_BYTES;
    let session: WorkerSession | undefined;
    let search: IdSearch | undefined;
    let cancelTimer: CancelTimer | undefined;
    let isGone = false;
    const settle = (): void => {
      if (!cancelTimer) return;
      cancelTimer();
      cancelTimer = undefined;
      this.#unregistered -= 1;
    };
    const endSearch = (): void => {
      if (!search) return;
      search.stop();
      search = undefined;
      this.#unregistered -= 1;
    };
    const reject = (ws: WorkerSocket, close: Close, hello?: Hello): void => {
      settle();
      endSearch();
      reception.refuse(ws, close, applicant, hello);
    };
    const onFound = (newcomer: Newcomer, id: string | undefined): void => {
      if (id === undefined) return reject(newcomer.ws, CLOSES.id_in_use, newcomer.hello);
      const held = search?.takeHeld() ?? [];
      endSearch();
      session = reception.register(newcomer, id);
      for (const message of held) session?.handleMessage(message);
    };
    const meet = (newcomer: Newcomer | undefined): void => {
      if (!newcomer) return;
      search = reception.searchId(newcomer, (id) => onFound(newcomer, id));
      if (search) this.#unregistered += 1;
      else session = reception.register(newcomer, newcomer.workerId);
    };
    const meetLater = async (joining: Promise<Newcomer | undefined>): Promise<void> => {
      this.#unregistered += 1;
      const newcomer = await joining;
      this.#unregistered -= 1;
      // A worker that has gone meanwhile asks again, and gets its key then.
      if (!isGone) meet(newcomer);
    };
    return {
      open: (ws) => {
        this.#unregistered += 1;
        cancelTimer = clock.after(registerTimeoutMs, () => reject(ws, CLOSES.expected_register));
      },
      message: (ws, message) => {
        // Text has at most as many characters as bytes.
        if (message.length > (session ? maxSessionBytes : MAX_MESSAGE_BYTES)) {
          const close = CLOSES.message_too_large;
          return session ? session.close(close) : reject(ws, close);
        }
        if (session) return session.handleMessage(message);
        if (search) return search.hold(message) ? undefined : reject(ws, CLOSES.message_too_large);
        // A refused socket is closing: whatever it still sends is ignored.
        if (!cancelTimer) return;
        settle();
        const greeted = reception.greet(ws, message, dialect, applicant);
        if (greeted instanceof Promise) void meetLater(greeted);
        else meet(greeted);
      },
      drain: (ws) => {
        if (hasDrained(ws)) session?.handleDrain();
      },
      pong: () => session?.handlePong(),
      close: (_ws, code, reason) => {
        isGone = true;
        settle();
        endSearch();
        this.#closings.do(() => session?.handleClosed(reason === "" ? `closed with ${code}` : reason));
      },
    };
  }
}
