import { Exchanges } from "../../src/answering/exchanges.ts";
import type { Opening } from "../../src/answering/opening.ts";
import { silentLog } from "../../src/system/log.ts";
import { createNativeDialect } from "../../src/tunnel/native.ts";
import { WorkerSession } from "../../src/tunnel/worker-session.ts";
import { decodeFrame, type Frame } from "../../src/wire/frame.ts";
import { toFailure } from "../../src/worker/backend.ts";
import { FakeClock } from "./fake-clock.ts";
import { LinkJob, type Manner, patterned } from "./link-job.ts";

/** The initial credit of each direction of an exchange, in body bytes. */
export const LINK_WINDOW = 1000;
/** How long the worker allows its backend to be silent, in milliseconds. */
export const SILENCE_MS = 60_000;

/** A record of the frames in one direction of the link, by exchange, in order to detect violations. */
class Ledger {
  readonly bodyBytes = new Map<number, number>();
  readonly granted = new Map<number, number>();
  readonly ended = new Set<number>();
  readonly reset = new Set<number>();

  note(frame: Frame): void {
    if ("body" in frame) this.bodyBytes.set(frame.id, (this.bodyBytes.get(frame.id) ?? 0) + frame.body.length);
    if (frame.type === "credit") this.granted.set(frame.id, (this.granted.get(frame.id) ?? 0) + frame.bytes);
    if ("end" in frame && frame.end) this.ended.add(frame.id);
    if (frame.type === "reset") this.reset.add(frame.id);
  }
}

/** A real session and a real worker's exchanges, joined by a line on which a test decides what arrives and when. */
export class LinkRig {
  readonly clock = new FakeClock();
  readonly jobs = new Map<number, LinkJob>();
  /** The rules that were broken. */
  readonly wrongs: string[] = [];
  readonly closes: string[] = [];
  /** The number of exchanges that were running when the session closed. */
  runningAtEnd = 0;
  isLost = false;
  #hasRoomUp = true;
  #hasRoomDown = true;
  readonly #down: Uint8Array[] = [];
  readonly #up: Uint8Array[] = [];
  readonly #sentDown = new Ledger();
  readonly #sentUp = new Ledger();
  readonly #heardDown = new Ledger();
  readonly #heardUp = new Ledger();
  readonly session: WorkerSession;
  readonly worker: Exchanges;

  constructor() {
    this.session = new WorkerSession({
      id: "s",
      worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
      offer: { models: ["m"], maxConcurrency: 99, embeddingBatchSize: undefined, status: "ready", reason: undefined },
      dialect: createNativeDialect(LINK_WINDOW),
      socket: {
        send: (data) => this.#sendDown(data),
        sendNow: (data) => this.#sendDown(data),
        ping: () => {},
        close: (_code, reason) => {
          this.closes.push(reason);
          this.lose();
        },
      },
      host: { onOfferChange: () => {}, onClosed: () => {} },
      clock: this.clock,
      log: {
        ...silentLog,
        info: (_event, fields) => {
          this.runningAtEnd = Number(fields?.["running"]);
        },
      },
      confirmTimeoutMs: 5000,
    });
    this.worker = new Exchanges({
      outlet: { hasRoom: () => this.#hasRoomUp, send: (frame) => this.#send(this.#up, frame) },
      window: LINK_WINDOW,
      backend: { open: ({ path }) => this.jobs.get(Number(path.slice(1)))?.open() ?? this.#stray() },
      toFailure,
      clock: this.clock,
      log: silentLog,
      maxConcurrency: () => 99,
      requestTimeoutMs: SILENCE_MS,
      onUnreachable: () => {},
      onIdle: () => {},
    });
  }

  start(manner: Manner, wholeBytes: number | undefined): void {
    const job = new LinkJob(this.jobs.size + 1, manner, wholeBytes);
    this.jobs.set(job.id, job);
    job.exchange = this.session.open(job.request(), job.sink);
  }

  /** Lets the next frames arrive at the worker (`down`) or at the server (`up`). */
  deliver(way: "down" | "up", count: number): void {
    const queue = way === "down" ? this.#down : this.#up;
    for (const bytes of queue.splice(0, count)) {
      if (this.isLost) return;
      const frame = decodeFrame(bytes);
      if (frame.type === "bad") {
        this.wrongs.push(`a bad frame goes ${way}: ${frame.reason}`);
        continue;
      }
      (way === "down" ? this.#heardDown : this.#heardUp).note(frame);
      if (way === "up") this.session.handleMessage(bytes);
      else {
        const wrong = this.worker.handle(frame);
        if (wrong !== undefined) this.wrongs.push(`the worker reports a violation by the server: ${wrong}`);
      }
    }
  }

  /** Delivers a frame that was not just sent, as if it had been in transit for long. */
  inject(way: "down" | "up", bytes: Uint8Array): void {
    if (this.isLost) return;
    if (way === "up") return this.session.handleMessage(bytes);
    const frame = decodeFrame(bytes);
    if (frame.type !== "bad") this.worker.handle(frame);
  }

  setRoom(way: "down" | "up", hasRoom: boolean): void {
    if (way === "up") this.#hasRoomUp = hasRoom;
    else this.#hasRoomDown = hasRoom;
    if (!hasRoom) return;
    if (way === "up") this.worker.resume();
    else this.session.handleDrain();
  }

  lose(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.session.handleClosed("gone");
    this.worker.handleLost();
  }

  /** Checks the rules that must hold at any time, and returns those that were broken. */
  check(): readonly string[] {
    for (const job of this.jobs.values()) {
      const { id, sink } = job;
      this.wrongs.push(...sink.wrongs.map((what) => `job ${id}: ${what}`));
      if (sink.ends.length > 1) this.wrongs.push(`job ${id} ended twice`);
      if (job.asked > 1) this.wrongs.push(`job ${id} was asked twice`);
      this.#checkBytes(job);
      this.#checkCredit(job);
    }
    return this.wrongs;
  }

  #checkBytes({ id, sink, answer, upload, wholeBytes, read, hasReadAll, manner }: LinkJob): void {
    const wrong = (what: string): void => void this.wrongs.push(`job ${id}: ${what}`);
    const isWhole = sink.ends[0]?.kind === "complete";
    if (manner === "is not asked") {
      if (isWhole && sink.body.toString() !== "{}") wrong("the worker's own answer is another one");
      return;
    }
    if (!sink.body.equals(patterned(id, 0, sink.body.length))) wrong("the client got other bytes");
    if (sink.body.length > answer.given) wrong("the client got more bytes than were sent");
    if (isWhole && (answer.ending !== "ended" || sink.body.length !== answer.given)) wrong("a cut answer looks whole");
    const got = Buffer.concat(read);
    const sent = upload ? upload.given : wholeBytes;
    if (!got.equals(patterned(id, 0, got.length))) wrong("the backend got other bytes");
    if (got.length > sent) wrong("the backend got more bytes than were sent");
    if (hasReadAll && (got.length !== sent || (upload && upload.ending !== "ended")))
      wrong("a cut request looks whole");
  }

  #checkCredit({ id, sink, taken, read }: LinkJob): void {
    const wrong = (what: string): void => void this.wrongs.push(`job ${id}: ${what}`);
    const of = (map: ReadonlyMap<number, number>): number => map.get(id) ?? 0;
    if (of(this.#sentDown.bodyBytes) > LINK_WINDOW + of(this.#heardUp.granted)) wrong("the server overspends");
    if (of(this.#sentUp.bodyBytes) > LINK_WINDOW + of(this.#heardDown.granted)) wrong("the worker overspends");
    if (of(this.#sentDown.granted) > taken) wrong("the server grants more than its client took");
    const got = read.reduce((sum, { length }) => sum + length, 0);
    if (of(this.#sentUp.granted) > got) wrong("the worker grants more than its backend read");
    if (sink.body.length - taken > LINK_WINDOW) wrong("more is held for the client than a window");
  }

  #sendDown(data: string | Uint8Array): void {
    this.#send(this.#down, data);
    if (!this.#hasRoomDown && !this.isLost) this.session.handleSendResult("queued");
  }

  #send(queue: Uint8Array[], data: string | Uint8Array): void {
    if (typeof data === "string" || this.isLost) return;
    const copy = data.slice();
    const frame = decodeFrame(copy);
    const isUp = queue === this.#up;
    const ledger = isUp ? this.#sentUp : this.#sentDown;
    if (frame.type === "bad") this.wrongs.push("a bad frame is sent");
    else {
      // No frame may follow a RESET. After its END, a worker sends nothing, and a server sends only credit and RESET.
      const isLate = ledger.reset.has(frame.id) || (ledger.ended.has(frame.id) && (isUp || "body" in frame));
      if (isLate) this.wrongs.push(`${frame.type} for ${frame.id} goes ${isUp ? "up" : "down"} after its end`);
      ledger.note(frame);
    }
    queue.push(copy);
  }

  #stray(): Opening {
    return { kind: "refuse", code: "internal", message: "nobody's job" };
  }
}
