import { afterEach, describe, expect, test } from "bun:test";
import { SocketTransport } from "../../../src/cluster/links/socket-transport.ts";
import { systemClock } from "../../../src/system/clock.ts";
import type { Exchange, ExchangeRequest, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import type { Admitted, PeerHandler } from "../../../src/tunnel/peer-handler.ts";
import type { Session } from "../../../src/tunnel/session.ts";
import { Inflow } from "../../../src/wire/inflow.ts";
import { eventually } from "../../support/eventually.ts";
import { HEAD, Listener } from "../../support/peer-pair.ts";
import { type RealLinks, startRealLinks } from "../../support/real-links.ts";

const started: RealLinks[] = [];
afterEach(() => {
  for (const { links } of started.splice(0)) links.close("the test is over");
});

/** A worker that answers by itself, as a local session would bring it. */
interface Play {
  /** Called with the request and what takes the answer, once the exchange is open. */
  serve(request: ExchangeRequest, sink: ExchangeSink): Partial<Exchange> | undefined;
}

function handlerOf(play: Play): PeerHandler {
  const admitted: Admitted = {
    ok: true,
    worker: { id: "w", name: "w", session: "b~1" },
    open(request, sink) {
      let more: Partial<Exchange> | undefined;
      queueMicrotask(() => {
        more = play.serve(request, sink);
      });
      return {
        consumed: (bytes) => more?.consumed?.(bytes),
        cancel: (code) => {
          more?.cancel?.(code);
          sink.onEnd({ kind: "canceled" });
          sink.onSettled();
        },
        lastProgressAt: 0,
        isWaitingForUs: false,
      };
    },
    onEnd: () => {},
    onSettled: () => {},
  };
  return { admit: () => admitted };
}

async function pair(play: Play): Promise<{ readonly a: RealLinks; readonly b: RealLinks; readonly session: Session }> {
  const [a, b] = [startRealLinks("a"), startRealLinks("b", handlerOf(play))];
  started.push(a, b);
  a.links.heard(b.contact);
  b.links.heard(a.contact);
  const session = await eventually(() => a.links.linkTo("b")?.session, "there is a link");
  await eventually(() => b.links.linkTo("a")?.session, "there is a link at the other end");
  return { a, b, session };
}

const MIB = 1024 * 1024;

test("a listener for links shares its port with no other server", () => {
  const { contact } = startRealLinks("a");
  const port = Number(contact.address?.split(":")[1]);
  const accept = (): undefined => undefined;
  expect(() => new SocketTransport(systemClock).listen({ host: "127.0.0.1", port }, accept)).toThrow("in use");
});

test.each([
  [404, "something else answers at this address, with HTTP 404"],
  [401, "refused: another run, server or cluster has this address"],
])("a dial that is answered with HTTP %d fails for a reason that names its cause", async (status, reason) => {
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(null, { status }) });
  try {
    const { promise, resolve } = Promise.withResolvers<string>();
    new SocketTransport(systemClock).dial(`127.0.0.1:${other.port}`, "x", {
      onOpen: () => {
        throw new Error("it must not open");
      },
      onFailed: resolve,
    });
    expect(await promise).toBe(reason);
  } finally {
    await other.stop(true);
  }
});

describe("a link on real sockets", () => {
  test("is established within a moment, and measures the round trip", async () => {
    const { a, b } = await pair({ serve: () => undefined });
    expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
    await eventually(() => a.links.linkTo("b")?.rttMs !== undefined, "the way is measured");
  });

  test("carries 64 MiB up, as fast as they are taken and no faster", async () => {
    const digest = new Bun.CryptoHasher("sha256");
    let taken = 0;
    const { a, session } = await pair({
      serve({ body }, sink) {
        if (!(body instanceof Inflow)) throw new Error("the body does not stream");
        const take = (): void => {
          for (let piece = body.take(); piece; piece = body.take()) {
            digest.update(piece);
            taken += piece.length;
          }
          if (!body.isDone) return;
          sink.onHead({ status: 200, headers: [] });
          sink.onEnd({ kind: "complete" });
          sink.onSettled();
        };
        // Nothing is read for a while: what has been sent by then fits into one window.
        setTimeout(() => {
          expect(a.links.linkTo("b")?.traffic.bytesOut).toBeLessThan(MIB);
          body.read(take);
          take();
        }, 200);
        return undefined;
      },
    });
    const expected = new Bun.CryptoHasher("sha256");
    let made = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const piece = new Uint8Array(MIB / 2).fill(made & 0xff);
          made += 1;
          expected.update(piece);
          controller.enqueue(piece);
          if (made === 128) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const sink = new Listener();
    session.open({ head: HEAD, body }, sink);
    await eventually(() => sink.ends.length > 0, "the upload ends", 20_000);
    expect(sink.ends).toEqual([{ kind: "complete" }]);
    expect(taken).toBe(64 * MIB);
    expect(digest.digest("hex")).toBe(expected.digest("hex"));
  }, 30_000);

  test("carries 64 MiB down to a client that reads slowly at first, and the owner sends no more than the window", async () => {
    let sent = 0;
    let consumed = 0;
    const piece = Buffer.alloc(64 * 1024, 7);
    const { session } = await pair({
      serve(_request, sink) {
        sink.onHead({ status: 200, headers: [] });
        const window = 256 * 1024;
        const push = (): void => {
          while (sent < 64 * MIB && sent - consumed + piece.length <= window) {
            sent += piece.length;
            sink.onData(piece);
          }
          if (sent < 64 * MIB || consumed < sent) return;
          sink.onEnd({ kind: "complete" });
          sink.onSettled();
        };
        push();
        return {
          consumed(bytes) {
            consumed += bytes;
            push();
          },
        };
      },
    });
    let received = 0;
    let isReading = false;
    const ends: string[] = [];
    const exchange = session.open(
      { head: HEAD, body: new Uint8Array(0) },
      {
        onHead: () => {},
        onData(bytes) {
          received += bytes.length;
          if (isReading) exchange.consumed(bytes.length);
        },
        onEnd: ({ kind }) => void ends.push(kind),
        onSettled: () => {},
      },
    );
    await eventually(() => received === 256 * 1024, "one window has come");
    await Bun.sleep(50);
    expect([sent, received]).toEqual([256 * 1024, 256 * 1024]);
    isReading = true;
    exchange.consumed(received);
    await eventually(() => ends.length > 0, "the answer ends", 20_000);
    expect([ends, received]).toEqual([["complete"], 64 * MIB]);
  }, 30_000);

  test("carries small exchanges while a large one runs", async () => {
    const { session } = await pair({
      serve({ body }, sink) {
        if (body instanceof Inflow) {
          body.read(() => {
            while (body.take());
          });
          while (body.take());
        } else {
          sink.onHead({ status: 200, headers: [["content-type", "text/plain"]] });
          sink.onData(Buffer.from("pong"));
          sink.onEnd({ kind: "complete" });
          sink.onSettled();
        }
        return undefined;
      },
    });
    const endless = new ReadableStream<Uint8Array>(
      { pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)) },
      { highWaterMark: 0 },
    );
    const large = session.open({ head: HEAD, body: endless }, new Listener());
    for (let count = 0; count < 50; count += 1) {
      const sink = new Listener();
      session.open({ head: HEAD, body: Buffer.from("ping") }, sink);
      await eventually(() => sink.ends.length > 0, "the small one ends");
      expect(sink.body.toString()).toBe("pong");
    }
    large.cancel("canceled");
  }, 20_000);

  test("tells both ends when one of them ends it", async () => {
    const { a, b, session } = await pair({ serve: () => undefined });
    const sink = new Listener();
    session.open({ head: HEAD, body: new Uint8Array(0) }, sink);
    b.links.close("the server stops");
    await eventually(() => sink.ends.length > 0, "the exchange ends");
    expect(sink.ends).toEqual([{ kind: "lost", reason: "the server stops" }]);
    expect(a.links.linkTo("b")?.session).toBeUndefined();
  });
});

/** Runs a peer in a process of its own, with a session over the link to it. */
async function withProcess(use: (peer: Bun.Subprocess, session: Session) => Promise<void>): Promise<void> {
  const a = startRealLinks("a");
  started.push(a);
  const child = Bun.spawn(["bun", "tests/support/link-process.ts"], {
    stdout: "pipe",
    stdin: "pipe",
    stderr: "inherit",
  });
  try {
    const { value } = await child.stdout.getReader().read();
    a.links.heard(JSON.parse(new TextDecoder().decode(value)));
    await use(child, await eventually(() => a.links.linkTo("b")?.session, "there is a link"));
  } finally {
    child.kill("SIGKILL");
  }
}

test("a peer that is killed ends its link and all exchanges on it at once", async () => {
  await withProcess(async (peer, session) => {
    const sinks = Array.from({ length: 100 }, () => new Listener());
    for (const sink of sinks) session.open({ head: HEAD, body: new Uint8Array(0) }, sink);
    await Bun.sleep(50);
    peer.kill("SIGKILL");
    // Bounded generously, since machines of tests are busy; it is a few milliseconds on an idle one.
    await eventually(() => sinks.every(({ ends }) => ends.length > 0), "all exchanges have ended", 1000);
    expect(new Set(sinks.map(({ ends }) => ends[0]?.kind))).toEqual(new Set(["lost"]));
  });
}, 20_000);

test("a peer that is frozen is cut off, and its exchanges end", async () => {
  await withProcess(async (peer, session) => {
    const sink = new Listener();
    session.open({ head: HEAD, body: new Uint8Array(0) }, sink);
    await Bun.sleep(50);
    peer.kill("SIGSTOP");
    await eventually(() => sink.ends.length > 0, "the exchange has ended", 5000);
    expect(sink.ends).toEqual([{ kind: "lost", reason: "no sign of life" }]);
  });
}, 20_000);
