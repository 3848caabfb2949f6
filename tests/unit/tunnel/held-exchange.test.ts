import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Exchange, ExchangeEnd } from "../../../src/tunnel/exchange.ts";
import { HeldExchange } from "../../../src/tunnel/held-exchange.ts";
import type { AnswerSpool } from "../../../src/tunnel/overflow.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { StrictSink } from "../../support/session-rig.ts";
import { turn } from "../../support/turn.ts";

const HOLD = 100;

/** A spool in memory, whose disk can fail. */
class MemorySpool implements AnswerSpool {
  static open = 0;
  readonly #bytes: number[] = [];
  #isClosed = false;
  isBroken = false;

  constructor() {
    MemorySpool.open += 1;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await turn();
    if (this.isBroken) throw new Error("no room");
    this.#bytes.push(...bytes);
  }

  async read(at: number, memory: Uint8Array): Promise<Uint8Array> {
    await turn();
    if (this.#isClosed || this.isBroken) throw new Error("closed");
    const piece = Uint8Array.from(this.#bytes.slice(at, at + Math.min(memory.length, 37)));
    expect(piece.length).toBeGreaterThan(0);
    return piece;
  }

  close(): void {
    if (!this.#isClosed) MemorySpool.open -= 1;
    this.#isClosed = true;
  }
}

/** The exchange under test, between a worker and a sink that are both played by the test. */
function start() {
  const clock = new FakeClock();
  const spools: MemorySpool[] = [];
  const sink = new StrictSink();
  const cancels: string[] = [];
  const held = new HeldExchange(sink, clock, {
    bytes: HOLD,
    maxWaitingBytes: 8 * HOLD,
    createSpool: () => {
      const spool = new MemorySpool();
      spools.push(spool);
      return spool;
    },
  });
  const inner: Exchange = {
    lastProgressAt: clock.elapsed(),
    isWaitingForUs: false,
    consumed: () => {},
    cancel: (code) => {
      cancels.push(code);
      held.onEnd({ kind: "canceled" });
    },
  };
  held.hold(inner);
  held.onHead({ status: 200, headers: [] });
  let taken = 0;
  return {
    clock,
    sink,
    held,
    spools,
    cancels,
    send: (bytes: number, value = 1) => held.onData(new Uint8Array(bytes).fill(value)),
    end: (end: ExchangeEnd = { kind: "complete" }) => {
      held.onEnd(end);
      held.onSettled();
    },
    /** The client takes all that it was given. */
    takeAll: () => {
      const now = sink.body.length;
      const more = now - taken;
      taken = now;
      held.consumed(more);
    },
  };
}

async function until(done: () => boolean, step: () => void = () => {}): Promise<void> {
  for (let count = 0; count < 2000 && !done(); count += 1) {
    step();
    await turn();
  }
  expect(done()).toBe(true);
}

describe("an exchange whose worker cannot wait", () => {
  test("passes bytes on at once while its client keeps up, and opens no spool", () => {
    const { sink, send, end, takeAll, spools } = start();
    for (let count = 0; count < 10; count += 1) {
      send(HOLD);
      takeAll();
    }
    end();
    expect(sink.body.length).toBe(10 * HOLD);
    expect(sink.ends).toEqual([{ kind: "complete" }]);
    expect(sink.isSettled).toBe(true);
    expect(spools).toEqual([]);
    expect(sink.wrongs).toEqual([]);
  });

  test("gives a slow client all bytes in order, and ends after the last", async () => {
    const { sink, send, end, takeAll } = start();
    for (let count = 0; count < 50; count += 1) {
      send(40, count);
      await turn();
    }
    end();
    expect(sink.body.length).toBeLessThan(3 * HOLD);
    expect(sink.ends).toEqual([]);
    await until(() => sink.ends.length > 0, takeAll);
    const expected = Buffer.concat(Array.from({ length: 50 }, (_, value) => Buffer.alloc(40, value)));
    expect(sink.body.equals(expected)).toBe(true);
    expect(sink.ends).toEqual([{ kind: "complete" }]);
    expect(sink.isSettled).toBe(true);
    expect(sink.wrongs).toEqual([]);
    expect(MemorySpool.open).toBe(0);
  });

  test("waits for its client while it holds bytes, although the worker has ended", async () => {
    const { held, send, end, clock, takeAll, sink } = start();
    send(HOLD);
    send(50);
    await turn();
    end();
    expect(held.isWaitingForUs).toBe(true);
    clock.advance(1000);
    takeAll();
    expect(held.lastProgressAt).toBe(clock.elapsed());
    await until(() => sink.ends.length > 0, takeAll);
    expect(held.isWaitingForUs).toBe(false);
  });

  test("that is lost is reported only when the bytes before have been passed on", async () => {
    const { sink, send, end, takeAll } = start();
    send(HOLD);
    send(50);
    await turn();
    end({ kind: "lost", reason: "gone" });
    expect(sink.ends).toEqual([]);
    await until(() => sink.ends.length > 0, takeAll);
    expect(sink.body.length).toBe(150);
    expect(sink.ends).toEqual([{ kind: "lost", reason: "gone" }]);
  });

  test("that is cancelled drops what it holds, before and after the worker's end", async () => {
    for (const isOver of [false, true]) {
      const { sink, held, send, end, cancels } = start();
      send(HOLD);
      send(50);
      await turn();
      if (isOver) end();
      held.cancel("canceled");
      expect(sink.ends).toEqual([{ kind: "canceled" }]);
      expect(cancels).toEqual(["canceled"]);
      if (!isOver) held.onSettled();
      expect(sink.isSettled).toBe(true);
      await turn();
      expect(MemorySpool.open).toBe(0);
      expect(sink.wrongs).toEqual([]);
    }
  });

  test("is broken off when the disk fails, when it is written and when it is read", async () => {
    for (const moment of ["write", "read"]) {
      const { sink, send, takeAll, spools, cancels } = start();
      send(HOLD);
      send(30);
      await turn();
      await turn();
      for (const spool of spools) spool.isBroken = true;
      if (moment === "read") await until(() => sink.ends.length > 0, takeAll);
      else
        await until(
          () => sink.ends.length > 0,
          () => send(30),
        );
      expect(sink.ends).toMatchObject([{ kind: "broken", code: "flow_control" }]);
      expect(cancels).toEqual(["canceled"]);
      expect(MemorySpool.open).toBe(0);
    }
  });

  test("is broken off when more comes at once than memory may hold on its way to the disk", () => {
    const { sink, send } = start();
    for (let count = 0; count < 12; count += 1) send(HOLD);
    expect(sink.ends).toMatchObject([{ kind: "broken", code: "flow_control" }]);
    expect(sink.body.length).toBe(HOLD);
  });

  test("in any order of events passes on a prefix of what came, and everything before a complete end", async () => {
    const step = fc.oneof(
      fc.record({ send: fc.integer({ min: 1, max: HOLD }) }),
      fc.constantFrom("take" as const, "turn" as const, "turn" as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isCut) => {
        const { sink, held, send, end, takeAll } = start();
        let sent = Buffer.alloc(0);
        for (const each of steps) {
          if (each === "take") takeAll();
          else if (each === "turn") await turn();
          else if (sink.ends.length === 0) {
            const value = sent.length % 251;
            send(each.send, value);
            sent = Buffer.concat([sent, Buffer.alloc(each.send, value)]);
          }
          expect(sent.subarray(0, sink.body.length).equals(sink.body)).toBe(true);
        }
        const wasBroken = sink.ends.length > 0;
        if (!wasBroken) end();
        if (isCut) held.cancel("canceled");
        await until(() => sink.ends.length > 0, takeAll);
        if (sink.ends[0]?.kind === "complete") expect(sink.body.equals(sent)).toBe(true);
        expect(sink.ends.length).toBe(1);
        expect(sink.wrongs).toEqual([]);
        await turn();
        await turn();
        expect(MemorySpool.open).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
