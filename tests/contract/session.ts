import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Exchange, ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { Offer, Session } from "../../src/tunnel/session.ts";
import { CLOSES } from "../../src/wire/closes.ts";
import type { HeaderPairs, ResponseHead } from "../../src/wire/heads.ts";
import type { Body } from "../../src/wire/pump.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { times } from "../support/times.ts";

/** One session to be held to the contract, and the worker at its other end. */
export interface SessionRig {
  readonly session: Session;
  readonly clock: FakeClock;
  /** What the session's host was told, in order: `offer`, or `closed` and the reason. */
  readonly told: string[];
  readonly worker: ScriptedPeer;
  /** Body bytes that the worker may send before the job has taken any. */
  readonly windowBytes: number;
  /** Whether the session can carry other kinds of exchange than HTTP, to a worker that announced them. */
  readonly carriesKinds: boolean;
  /** The largest request body that the session carries. */
  readonly maxRequestBytes: number;
  readonly confirmTimeoutMs: number;
}

/** The worker's part, played by the test. `nth` counts the exchanges that reached the worker, from 1. */
export interface ScriptedPeer {
  /** The number of messages that have reached it. */
  received(): number;
  /** Begins an answer with status 200. */
  head(nth: number, headers?: HeaderPairs): void;
  data(nth: number, bytes: Uint8Array): void;
  end(nth: number): void;
  /** Ends the exchange with an error. */
  breakOff(nth: number): void;
  /** Confirms that it has stopped work which was cancelled. */
  confirm(nth: number): void;
  /** Says something that has no consequence. */
  beat(): void;
  offer(models: readonly string[]): void;
  /** The link breaks. */
  vanish(): void;
}

const HEAD = { method: "POST", path: "/x", headers: [] } as const;

class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  /** Called with every event, after it was noted. */
  on: (event: string) => void = () => {};

  onHead(_head: ResponseHead): void {
    this.#note("head");
  }

  onData(bytes: Uint8Array): void {
    this.#note(`data ${bytes.length}`);
  }

  onEnd(end: ExchangeEnd): void {
    this.ends.push(end);
    this.#note(end.kind);
  }

  onSettled(): void {
    this.#note("settled");
  }

  /** Undefined for an exchange that has kept the order of calls, ended once and settled once; else what is wrong. */
  get fault(): string | undefined {
    const told = this.heard.map((event) => event.split(" ")[0]).join(" ");
    const inOrder = /^(head (data )*)?(complete|broken|lost|refused|unsupported|too_large|canceled) settled$/;
    return inOrder.test(told) ? undefined : told;
  }

  #note(event: string): void {
    this.heard.push(event);
    this.on(event);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function openOn({ session }: SessionRig, body: Body = new Uint8Array(10), kind?: string) {
  const sink = new Witness();
  let hasReturned = false;
  let isEarly = false;
  sink.on = () => {
    isEarly ||= !hasReturned;
  };
  const exchange = session.open({ head: { ...HEAD, ...(kind === undefined ? {} : { kind }) }, body }, sink);
  hasReturned = true;
  return { sink, exchange, wasCalledEarly: () => isEarly };
}

/** A request body that never ends, and how it was let go of. */
function endlessBody() {
  const state = { canceled: false };
  const stream = new ReadableStream<Uint8Array>({
    cancel: () => {
      state.canceled = true;
    },
  });
  return { stream, state };
}

/** Every way in which an exchange ends, as something that happens to the first one of a session. */
const ENDINGS: readonly (readonly [string, ExchangeEnd["kind"], (rig: SessionRig, exchange: Exchange) => void])[] = [
  [
    "the worker's end",
    "complete",
    ({ worker }) => {
      worker.head(1);
      worker.data(1, new Uint8Array(3));
      worker.end(1);
    },
  ],
  ["the worker's error", "broken", ({ worker }) => worker.breakOff(1)],
  [
    "more bytes than were granted",
    "broken",
    ({ worker, windowBytes }) => {
      worker.head(1);
      worker.data(1, new Uint8Array(windowBytes + 1));
      worker.confirm(1);
    },
  ],
  [
    "a cancel that the worker confirms",
    "canceled",
    ({ worker }, exchange) => {
      exchange.cancel("canceled");
      worker.confirm(1);
    },
  ],
  [
    "a cancel that the worker never confirms",
    "canceled",
    ({ clock, confirmTimeoutMs }, exchange) => {
      exchange.cancel("timeout");
      clock.advance(confirmTimeoutMs);
    },
  ],
  [
    "a cancel just before the session's close",
    "canceled",
    ({ session }, exchange) => {
      exchange.cancel("canceled");
      session.close(CLOSES.server_restart);
    },
  ],
  ["the session's close", "lost", ({ session }) => session.close(CLOSES.server_restart)],
  ["the link's loss", "lost", ({ worker }) => worker.vanish()],
];

/**
 * Holds an implementation of `Session` to the duties that the port states. `make` gives a fresh session that is ready, of a
 * worker that announced these kinds of exchange, or none.
 */
export function describeSession(name: string, make: (announced?: readonly string[]) => SessionRig): void {
  describe(`${name}: an exchange`, () => {
    test("hears of the answer in order: head, data, end, settled", async () => {
      const rig = make();
      const { sink } = openOn(rig);
      rig.worker.head(1);
      rig.worker.data(1, new Uint8Array(5));
      rig.worker.data(1, new Uint8Array(0));
      rig.worker.data(1, new Uint8Array(7));
      rig.worker.end(1);
      await settle();
      expect(sink.heard).toEqual(["head", "data 5", "data 7", "complete", "settled"]);
    });

    test("hears nothing before open has returned", async () => {
      const [plain, tooLarge, closed] = [make(), make(), make()];
      closed.session.close(CLOSES.server_restart);
      const opened = [
        openOn(plain),
        openOn(tooLarge, new Uint8Array(tooLarge.maxRequestBytes + 1)),
        openOn(closed),
        openOn(closed, endlessBody().stream),
        openOn(plain, new Uint8Array(10), "made_up"),
      ];
      expect(opened.map(({ wasCalledEarly }) => wasCalledEarly())).toEqual(opened.map(() => false));
      await settle();
      expect(opened.map(({ sink }) => sink.heard)).toEqual([
        [],
        ["too_large", "settled"],
        ["lost", "settled"],
        ["lost", "settled"],
        ["unsupported", "settled"],
      ]);
    });

    test("of a kind that the worker did not announce ends as unsupported, and the worker sees nothing of it", async () => {
      for (const announced of [undefined, [], ["http"], ["made_up_too"]]) {
        const rig = make(announced);
        const { stream, state } = endlessBody();
        const { sink } = openOn(rig, stream, "made_up");
        await settle();
        expect(sink.ends).toEqual([{ kind: "unsupported", exchangeKind: "made_up" }]);
        expect(sink.fault).toBeUndefined();
        expect(state.canceled).toBe(true);
        expect(rig.worker.received()).toBe(0);
      }
    });

    test("of a kind that the worker announced reaches it, if the session carries kinds at all", async () => {
      const rig = make(["http", "made_up"]);
      const { sink } = openOn(rig, new Uint8Array(10), "made_up");
      await settle();
      expect(sink.heard).toEqual(rig.carriesKinds ? [] : ["unsupported", "settled"]);
      expect(rig.worker.received()).toBe(rig.carriesKinds ? 1 : 0);
    });

    test("that names no kind is HTTP", async () => {
      for (const announced of [undefined, ["http"]]) {
        const rig = make(announced);
        openOn(rig);
        openOn(rig, new Uint8Array(10), "http");
        await settle();
        expect(rig.worker.received()).toBe(2);
      }
    });

    test.each(ENDINGS)("that ends by %s (%s) ends once, settles once, and hears nothing after that", async (...row) => {
      const [, kind, bringAbout] = row;
      const rig = make();
      const { sink, exchange } = openOn(rig);
      bringAbout(rig, exchange);
      await settle();
      expect(sink.ends.map((end) => end.kind)).toEqual([kind]);
      expect(sink.fault).toBeUndefined();
      const before = [...sink.heard];
      exchange.cancel("canceled");
      exchange.consumed(5);
      rig.worker.data(1, new Uint8Array(1));
      rig.worker.end(1);
      rig.session.close(CLOSES.server_restart);
      rig.clock.advance(10 * rig.confirmTimeoutMs);
      await settle();
      expect(sink.heard).toEqual(before);
      expect(rig.clock.pending).toBe(0);
    });

    test.each(ENDINGS)("with a whole answer is complete, although it ends by %s", async (...row) => {
      const [, , bringAbout] = row;
      const [EVENTS, encoder] = [[["content-type", "text/event-stream"]] as const, new TextEncoder()];
      for (const [headers, body] of [
        [[["content-length", "4"]], "abcd"],
        [EVENTS, "data: 1\n\ndata: [DONE]\n\n"],
      ] as const) {
        const rig = make();
        const { sink, exchange } = openOn(rig);
        rig.worker.head(1, headers);
        rig.worker.data(1, encoder.encode(body));
        // What the script does to the answer itself comes too late or breaks the protocol.
        bringAbout(rig, exchange);
        rig.clock.advance(rig.confirmTimeoutMs);
        await settle();
        expect(sink.ends).toEqual([{ kind: "complete" }]);
        expect(sink.fault).toBeUndefined();
      }
    });

    test("with a part of its declared length is lost with its session", async () => {
      const rig = make();
      const { sink } = openOn(rig);
      rig.worker.head(1, [["content-length", "4"]]);
      rig.worker.data(1, new Uint8Array(3));
      rig.worker.vanish();
      await settle();
      expect(sink.heard).toEqual(["head", "data 3", "lost", "settled"]);
    });

    test("that is cancelled in the call which brings its last byte is canceled: those bytes were not taken", async () => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      sink.on = (event) => {
        if (event.startsWith("data")) exchange.cancel("canceled");
      };
      rig.worker.head(1, [["content-length", "4"]]);
      rig.worker.data(1, new Uint8Array(4));
      rig.worker.confirm(1);
      await settle();
      expect(sink.heard).toEqual(["head", "data 4", "canceled", "settled"]);
    });

    test("that cannot be carried ends as too_large, and its limit is said", async () => {
      const rig = make();
      const { sink } = openOn(rig, new Uint8Array(rig.maxRequestBytes + 1));
      await settle();
      expect(sink.ends).toEqual([{ kind: "too_large", maxBytes: rig.maxRequestBytes }]);
      expect(rig.worker.received()).toBe(0);
      expect(sink.fault).toBeUndefined();
    });

    test("on a session that has ended is lost", async () => {
      const rig = make();
      rig.worker.vanish();
      const { sink, exchange } = openOn(rig);
      await settle();
      expect(sink.heard).toEqual(["lost", "settled"]);
      exchange.cancel("canceled");
      expect(sink.heard).toEqual(["lost", "settled"]);
    });

    test("on a session that has ended may be cancelled before it hears that it is lost", async () => {
      const rig = make();
      rig.worker.vanish();
      const { sink, exchange } = openOn(rig);
      exchange.cancel("canceled");
      expect(sink.ends.map(({ kind }) => kind)).toEqual(["canceled"]);
      await settle();
      expect(sink.fault).toBeUndefined();
    });

    test("that is cancelled ends at once, and settles when the worker has confirmed", async () => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      exchange.cancel("canceled");
      expect(sink.heard).toEqual(["canceled"]);
      rig.clock.advance(rig.confirmTimeoutMs - 1);
      await settle();
      expect(sink.heard).toEqual(["canceled"]);
      rig.worker.confirm(1);
      expect(sink.heard).toEqual(["canceled", "settled"]);
    });

    test("that is cancelled settles without the worker's word when its time is up", async () => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      exchange.cancel("canceled");
      rig.clock.advance(rig.confirmTimeoutMs);
      await settle();
      expect(sink.heard).toEqual(["canceled", "settled"]);
    });

    test("is cancelled once, however often it is told", async () => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      exchange.cancel("canceled");
      exchange.cancel("timeout");
      rig.worker.confirm(1);
      exchange.cancel("canceled");
      await settle();
      expect(sink.heard).toEqual(["canceled", "settled"]);
    });

    test("that is cancelled gets no byte that was still under way", async () => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      rig.worker.head(1);
      exchange.cancel("canceled");
      rig.worker.data(1, new Uint8Array(5));
      rig.worker.end(1);
      await settle();
      expect(sink.heard).toEqual(["head", "canceled", "settled"]);
    });

    test.each(["head", "data"])("may be cancelled from within the call that brings its %s", async (moment) => {
      const rig = make();
      const { sink, exchange } = openOn(rig);
      sink.on = (event) => {
        if (event.startsWith(moment)) exchange.cancel("canceled");
      };
      rig.worker.head(1);
      rig.worker.data(1, new Uint8Array(5));
      rig.worker.end(1);
      rig.clock.advance(rig.confirmTimeoutMs);
      await settle();
      expect(sink.ends.map(({ kind }) => kind)).toEqual(["canceled"]);
      expect(sink.fault).toBeUndefined();
    });

    test("waits for its job while the worker has used up its credit, and no longer when the job has taken bytes", () => {
      const rig = make();
      const { exchange } = openOn(rig);
      rig.worker.head(1);
      expect(exchange.isWaitingForUs).toBe(false);
      rig.worker.data(1, new Uint8Array(rig.windowBytes));
      expect(exchange.isWaitingForUs).toBe(true);
      exchange.consumed(rig.windowBytes);
      expect(exchange.isWaitingForUs).toBe(false);
    });

    test("makes progress with its head and with every byte, not with silence", () => {
      const rig = make();
      const { exchange } = openOn(rig);
      const moments = [rig.clock.elapsed()];
      expect(exchange.lastProgressAt).toBe(rig.clock.elapsed());
      for (const happen of [() => rig.worker.head(1), () => rig.worker.data(1, new Uint8Array(1)), () => {}]) {
        rig.clock.advance(10);
        happen();
        moments.push(exchange.lastProgressAt);
      }
      const [start = 0] = moments;
      expect(moments).toEqual([start, start + 10, start + 20, start + 20]);
    });

    test.each(ENDINGS)(
      "that ends by %s (%s) lets go of a request body that was not read to its end",
      async (...row) => {
        const [, , bringAbout] = row;
        const rig = make();
        const { stream, state } = endlessBody();
        const { sink, exchange } = openOn(rig, stream);
        bringAbout(rig, exchange);
        rig.clock.advance(rig.confirmTimeoutMs);
        await settle();
        expect(state.canceled).toBe(true);
        expect(sink.fault).toBeUndefined();
      },
    );

    test("on a session that has ended lets go of its request body", async () => {
      const rig = make();
      rig.worker.vanish();
      const { stream, state } = endlessBody();
      openOn(rig, stream);
      await settle();
      expect(state.canceled).toBe(true);
    });

    test("whose request body fails ends as canceled, with the cause", async () => {
      const rig = make();
      const cause = new Error("the upload broke off");
      const { sink } = openOn(rig, new ReadableStream({ start: (controller) => controller.error(cause) }));
      await settle();
      rig.clock.advance(rig.confirmTimeoutMs);
      await settle();
      expect(sink.ends).toEqual([{ kind: "canceled", cause }]);
      expect(sink.fault).toBeUndefined();
    });

    test("ends alone: its neighbours go on", async () => {
      const rig = make();
      const [one, two, three] = [openOn(rig), openOn(rig), openOn(rig)];
      rig.worker.breakOff(1);
      two.exchange.cancel("canceled");
      rig.worker.head(3);
      rig.worker.end(3);
      await settle();
      expect([one, two, three].map(({ sink }) => sink.ends[0]?.kind)).toEqual(["broken", "canceled", "complete"]);
    });
  });

  describe(`${name}: a session`, () => {
    test("that is closed tells its host once, before it ends what runs", async () => {
      const rig = make();
      const order: string[] = [];
      for (const nth of [1, 2]) {
        const { sink } = openOn(rig);
        sink.on = (event) => order.push(`${event} ${nth}, host told ${rig.told.length} times`);
      }
      rig.session.close(CLOSES.server_restart);
      rig.session.close(CLOSES.drained);
      rig.worker.vanish();
      await settle();
      expect(rig.told).toEqual(["closed server restart"]);
      expect(order).toEqual(
        [1, 2].flatMap((nth) => [`lost ${nth}, host told 1 times`, `settled ${nth}, host told 1 times`]),
      );
    });

    test("whose link is lost tells its host once, and a close after that does nothing", () => {
      const rig = make();
      rig.worker.vanish();
      rig.session.close(CLOSES.server_restart);
      expect(rig.told).toHaveLength(1);
      expect(rig.told[0]).toStartWith("closed ");
    });

    test("may be closed from within a call to a sink", async () => {
      const rig = make();
      const { sink } = openOn(rig);
      sink.on = (event) => {
        if (event === "head") rig.session.close(CLOSES.server_restart);
      };
      rig.worker.head(1);
      rig.worker.data(1, new Uint8Array(5));
      await settle();
      expect(sink.heard).toEqual(["head", "lost", "settled"]);
    });

    test("tells its host of a changed offer, which is in force by then", () => {
      const rig = make();
      rig.worker.offer(["another"]);
      expect(rig.told).toEqual(["offer"]);
      expect(rig.session.offer).toMatchObject({ models: ["another"], status: "ready" } satisfies Partial<Offer>);
    });

    test("tells its host nothing after its end", () => {
      const rig = make();
      rig.worker.vanish();
      rig.worker.offer(["another"]);
      rig.worker.beat();
      expect(rig.told).toHaveLength(1);
    });

    test("knows for how long its worker has been silent", () => {
      const { session, clock, worker } = make();
      expect(session.silentMs).toBe(0);
      clock.advance(1000);
      expect(session.silentMs).toBe(1000);
      worker.beat();
      expect(session.silentMs).toBe(0);
    });
  });

  test(`${name}: whatever happens in whatever order, every exchange ends once, settles once, and leaves no timer`, async () => {
    const nth = fc.integer({ min: 1, max: 3 });
    const step = fc.oneof(
      fc.record({ do: fc.constant("open" as const), bytes: fc.constantFrom(0, 10) }),
      fc.record({ do: fc.constantFrom("head" as const, "end" as const, "breakOff" as const, "confirm" as const), nth }),
      fc.record({ do: fc.constant("data" as const), nth, bytes: fc.nat({ max: 700 }) }),
      fc.record({ do: fc.constant("take" as const), nth, bytes: fc.nat({ max: 700 }) }),
      fc.record({ do: fc.constant("cancel" as const), nth }),
      fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 4999, 5000) }),
      fc.record({ do: fc.constant("close" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const rig = make();
        const opened: ReturnType<typeof openOn>[] = [];
        for (const each of steps) {
          if (each.do === "open") opened.push(openOn(rig, new Uint8Array(each.bytes)));
          else if (each.do === "wait") rig.clock.advance(each.ms);
          else if (each.do === "close") rig.session.close(CLOSES.server_restart);
          // A worker that speaks of an exchange which was never opened breaks the protocol: another contract's matter.
          else if (each.nth <= opened.length) {
            const exchange = opened[each.nth - 1]?.exchange;
            if (each.do === "data") rig.worker.data(each.nth, new Uint8Array(each.bytes));
            else if (each.do === "take") exchange?.consumed(each.bytes);
            else if (each.do === "cancel") exchange?.cancel("canceled");
            else rig.worker[each.do](each.nth);
          }
        }
        rig.session.close(CLOSES.server_restart);
        await settle();
        for (const { sink, wasCalledEarly } of opened)
          expect([sink.fault, wasCalledEarly()]).toEqual([undefined, false]);
        expect(rig.told.filter((what) => what.startsWith("closed"))).toHaveLength(1);
        expect(rig.clock.pending).toBe(0);
      }),
      { numRuns: times(300) },
    );
  });
}
