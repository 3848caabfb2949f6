import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { settleNetwork } from "../../../support/peer-network.ts";
import { HEAD, ORDER, startPair } from "../../../support/peer-pair.ts";
import { times } from "../../../support/times.ts";

const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);

describe("a request to a peer", () => {
  test("reaches a worker of that peer whole, and its answer comes back", async () => {
    const { open, worker, handler } = await startPair();
    const { sink } = open(Buffer.from("hello"));
    await settleNetwork();
    expect(handler.requests).toEqual([
      { peerId: "a", head: { method: "POST", path: "/x", headers: [] }, order: ORDER },
    ]);
    const [exchange] = worker.exchanges;
    expect(exchange?.request.body).toEqual(Buffer.from("hello"));
    exchange?.head({ status: 201, headers: [["a", "b"]] });
    exchange?.data(Buffer.from("wor"));
    exchange?.data(Buffer.from("ld"));
    exchange?.end();
    await settleNetwork();
    expect(sink.head).toEqual({
      status: 201,
      headers: [["a", "b"]],
      worker: { id: "w", name: "box", session: "b~session" },
    });
    expect(sink.body.toString()).toBe("world");
    expect([sink.ends, sink.settled]).toEqual([[{ kind: "complete" }], 1]);
    expect(handler.judged).toMatchObject([{ end: { kind: "complete" }, head: { status: 201 }, wasSilent: false }]);
    expect(handler.settled).toBe(1);
  });

  test("never shows the worker what servers tell each other", async () => {
    const { open, worker } = await startPair();
    open(bytes(1));
    open(bytes(100_000));
    await settleNetwork();
    expect(worker.exchanges.map(({ request }) => Object.keys(request.head))).toEqual([
      ["method", "path", "headers"],
      ["method", "path", "headers"],
    ]);
  });

  test("that is refused brings the number of free slots, and no worker has seen it", async () => {
    const { open, worker, handler } = await startPair();
    handler.refusal = { ok: false, code: "busy", message: "no slot is free", free: 3 };
    const { sink } = open(bytes(10));
    await settleNetwork();
    expect(sink.ends).toEqual([{ kind: "refused", message: "no slot is free", free: 3 }]);
    expect(sink.settled).toBe(1);
    expect(worker.exchanges).toHaveLength(0);
  });

  test("for a plugin or of a kind that the peer does not serve fails without harm to others", async () => {
    const { open } = await startPair();
    const wrong = open(bytes(1), { ...HEAD, peer: { ...ORDER, plugin: "asr" } });
    const none = open(bytes(1), { method: "POST", path: "/x", headers: [] });
    const kind = open(bytes(1), { ...HEAD, kind: "channel" });
    const right = open(bytes(1));
    await settleNetwork();
    expect(wrong.sink.ends).toMatchObject([{ kind: "broken", code: "protocol_error" }]);
    expect(none.sink.ends).toMatchObject([{ kind: "broken", code: "protocol_error" }]);
    expect(kind.sink.ends).toEqual([{ kind: "unsupported", exchangeKind: "channel" }]);
    expect(right.sink.ends).toEqual([]);
  });

  test("whose response has a head that the worker's name makes too large for a frame ends alone", async () => {
    const { open, worker, handler } = await startPair();
    const [large, other] = [open(bytes(1)), open(bytes(1))];
    await settleNetwork();
    const [first, second] = worker.exchanges;
    // As the worker sent it, it took one frame of 1 MiB.
    first?.head({ status: 200, headers: [["a", "b".repeat(1024 * 1024 - 60)]] });
    await settleNetwork();
    expect(large.sink.ends).toMatchObject([{ kind: "broken", code: "upstream_error", worker: { id: "w" } }]);
    expect(first?.cancelled).toEqual(["canceled"]);
    first?.confirm();
    second?.head({ status: 200, headers: [] });
    second?.end();
    await settleNetwork();
    expect(other.sink.ends).toEqual([{ kind: "complete" }]);
    expect(handler.settled).toBe(2);
  });

  test("gets a head and first bytes in two frames if they do not fit into one", async () => {
    const { open, worker } = await startPair(1024 * 1024);
    const { sink } = open(bytes(1));
    await settleNetwork();
    const [exchange] = worker.exchanges;
    exchange?.head({ status: 200, headers: [["a", "b".repeat(900 * 1024)]] });
    exchange?.data(bytes(200 * 1024, 7));
    exchange?.end();
    await settleNetwork();
    expect(sink.ends).toEqual([{ kind: "complete" }]);
    expect(sink.body.equals(bytes(200 * 1024, 7))).toBe(true);
  });

  test("of more than 64 KiB sends no byte of its body before the peer has a slot for it", async () => {
    const { open, network, handler, worker } = await startPair(256 * 1024);
    handler.refusal = { ok: false, code: "busy", message: "no slot is free" };
    const sent = (): number => (network.pairs[0]?.dialler.sent ?? []).reduce((sum, { length }) => sum + length, 0);
    const before = sent();
    const large = bytes(10_000_000);
    const { sink } = open(large);
    await settleNetwork();
    expect(sink.ends).toMatchObject([{ kind: "refused" }]);
    expect(sent() - before).toBeLessThan(1000);
    handler.refusal = undefined;
    open(bytes(64 * 1024));
    await settleNetwork();
    expect(worker.exchanges[0]?.request.body).toHaveLength(64 * 1024);
  });

  test("whose body streams is taken as fast as the worker takes it, and the peer holds one window", async () => {
    // The scripted worker reads only streams, so nothing takes what arrives.
    const { session, network, a } = await startPair(1000);
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(bytes(100));
        },
      },
      { highWaterMark: 0 },
    );
    const before = a.links.linkTo("b")?.traffic.bytesOut ?? 0;
    session.open({ head: HEAD, body }, { onHead() {}, onData() {}, onEnd() {}, onSettled() {} });
    for (let turn = 0; turn < 5; turn += 1) await settleNetwork();
    expect(pulled).toBeWithin(10, 12);
    expect((a.links.linkTo("b")?.traffic.bytesOut ?? 0) - before).toBeLessThan(2000);
    expect(network.open).toHaveLength(1);
  });
});

describe("the answer of a peer", () => {
  test("is sent on no faster than the client takes it, also of a worker that cannot be told to wait", async () => {
    const { open, worker } = await startPair(1000);
    const { sink, exchange } = open();
    await settleNetwork();
    const [served] = worker.exchanges;
    served?.head({ status: 200, headers: [] });
    for (let at = 0; at < 30; at += 1) served?.data(bytes(100, at));
    served?.end();
    await settleNetwork();
    expect(sink.body).toHaveLength(1000);
    expect(sink.ends).toEqual([]);
    exchange.consumed(1000);
    await settleNetwork();
    expect(sink.body).toHaveLength(2000);
    exchange.consumed(1000);
    await settleNetwork();
    expect(sink.body).toEqual(Buffer.concat(Array.from({ length: 30 }, (_, at) => bytes(100, at))));
    expect(sink.ends).toEqual([{ kind: "complete" }]);
  });

  test("gives the worker the credit that its client gives, and never more", async () => {
    const { open, worker } = await startPair(1000);
    const { exchange } = open();
    await settleNetwork();
    const [served] = worker.exchanges;
    if (!served) throw new Error("the worker has got nothing");
    const consumed: number[] = [];
    served.consumed = (count) => void consumed.push(count);
    served.head({ status: 200, headers: [] });
    served.data(bytes(600));
    await settleNetwork();
    exchange.consumed(300);
    await settleNetwork();
    expect(consumed).toEqual([300]);
  });

  test("has its head at once, although no byte of the body has come", async () => {
    const { open, worker } = await startPair();
    const { sink } = open();
    await settleNetwork();
    worker.exchanges[0]?.head({ status: 200, headers: [] });
    await settleNetwork();
    expect(sink.head?.status).toBe(200);
  });
});

describe("an exchange with a peer", () => {
  test("that is cancelled settles when the worker has confirmed", async () => {
    const { open, worker, handler } = await startPair();
    const { sink, exchange } = open();
    await settleNetwork();
    exchange.cancel("canceled");
    await settleNetwork();
    expect(worker.exchanges[0]?.cancelled).toEqual(["canceled"]);
    expect([sink.ends, sink.settled, handler.settled]).toEqual([[{ kind: "canceled", cause: undefined }], 0, 0]);
    worker.exchanges[0]?.confirm();
    await settleNetwork();
    expect([sink.settled, handler.settled]).toEqual([1, 1]);
  });

  test("that is given up because of silence tells the owner of the worker why", async () => {
    const { open, worker, handler } = await startPair();
    const { exchange } = open();
    await settleNetwork();
    exchange.cancel("timeout");
    await settleNetwork();
    expect(worker.exchanges[0]?.cancelled).toEqual(["timeout"]);
    expect(handler.judged).toMatchObject([{ end: { kind: "canceled" }, wasSilent: true }]);
  });

  test("whose worker is lost ends as lost, and names the worker's session", async () => {
    const { open, worker } = await startPair();
    const { sink } = open();
    await settleNetwork();
    worker.vanish("gone");
    await settleNetwork();
    expect(sink.ends).toEqual([
      { kind: "lost", reason: "gone", worker: { id: "w", name: "box", session: "b~session" } },
    ]);
  });

  test.each(["upstream_error", "upstream_unreachable", "timeout", "draining"] as const)(
    "that the worker breaks off with %s ends with that code and the worker's name",
    async (code) => {
      const { open, worker } = await startPair();
      const { sink } = open();
      await settleNetwork();
      worker.exchanges[0]?.breakOff(code, "why");
      await settleNetwork();
      expect(sink.ends).toMatchObject([{ kind: "broken", code, message: "why", worker: { session: "b~session" } }]);
    },
  );

  test("whose worker was full after all is refused", async () => {
    const { open, worker, handler } = await startPair();
    const { sink } = open();
    await settleNetwork();
    worker.exchanges[0]?.breakOff("busy");
    await settleNetwork();
    expect(sink.ends).toMatchObject([{ kind: "refused", free: 0 }]);
    expect(handler.judged).toMatchObject([{ end: { kind: "refused" } }]);
  });

  test("that breaks off after its first bytes brings those bytes first", async () => {
    const { open, worker } = await startPair();
    const { sink } = open();
    await settleNetwork();
    worker.exchanges[0]?.head({ status: 200, headers: [] });
    worker.exchanges[0]?.data(Buffer.from("part"));
    worker.exchanges[0]?.breakOff("upstream_error");
    await settleNetwork();
    expect(sink.body.toString()).toBe("part");
    expect(sink.ends).toMatchObject([{ kind: "broken" }]);
  });

  test("whose link breaks is lost for the one, and stops the worker of the other", async () => {
    const { open, worker, network, handler } = await startPair();
    const { sink } = open();
    await settleNetwork();
    network.open[0]?.end("broken");
    await settleNetwork();
    expect(sink.ends).toEqual([{ kind: "lost", reason: "broken" }]);
    expect(worker.exchanges[0]?.cancelled).toEqual(["canceled"]);
    worker.exchanges[0]?.confirm();
    expect(handler.settled).toBe(1);
  });

  test("that is answered before its whole body has come ends in order", async () => {
    const { open, worker } = await startPair();
    const { sink } = open(new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(bytes(10)) }));
    await settleNetwork();
    worker.exchanges[0]?.head({ status: 413, headers: [] });
    worker.exchanges[0]?.end();
    await settleNetwork();
    expect(sink.head?.status).toBe(413);
    expect([sink.ends, sink.settled]).toEqual([[{ kind: "complete" }], 1]);
  });
});

test("both ends of a link open exchanges with ids of their own, and frames reach the right end", async () => {
  const { a, b, open, worker, handler } = await startPair();
  a.links.serve("other", handler);
  const back = b.links.linkTo("a")?.session;
  expect(back?.offer.exchangeKinds).toEqual([]);
  open();
  open();
  await settleNetwork();
  expect(worker.exchanges).toHaveLength(2);
});

test("whatever sizes the pieces have, each byte arrives once and in order in both directions", async () => {
  const piece = fc.integer({ min: 1, max: 3000 });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.array(piece, { maxLength: 12 }), async (up, down) => {
      const { open, worker } = await startPair(1000);
      const source = up.map((length, at) => bytes(length, at + 1));
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const each of source) controller.enqueue(each);
          controller.close();
        },
      });
      const seen: Uint8Array[] = [];
      let isDone = false;
      const serve = worker.open.bind(worker);
      worker.open = (request, sink) => {
        const { body } = request;
        if (body instanceof Uint8Array || body instanceof ReadableStream) throw new Error("a body of another kind");
        const take = (): void => {
          for (let next = body.take(); next; next = body.take()) seen.push(next);
          isDone = body.isDone;
        };
        body.read(take);
        take();
        return serve({ ...request, body: new Uint8Array(0) }, sink);
      };
      const { sink, exchange } = open(stream);
      for (let turn = 0; turn < 200 && !isDone; turn += 1) await settleNetwork();
      expect(Buffer.concat(seen)).toEqual(Buffer.concat(source));
      const answer = down.map((length, at) => bytes(length, at + 1));
      worker.exchanges[0]?.head({ status: 200, headers: [] });
      for (const each of answer) worker.exchanges[0]?.data(each);
      worker.exchanges[0]?.end();
      let taken = 0;
      for (let turn = 0; turn < 200 && sink.ends.length === 0; turn += 1) {
        await settleNetwork();
        exchange.consumed(sink.body.length - taken);
        taken = sink.body.length;
      }
      expect(sink.body).toEqual(Buffer.concat(answer));
      expect(sink.ends).toEqual([{ kind: "complete" }]);
    }),
    { numRuns: times(15) },
  );
});
