import { expect, test } from "bun:test";
import { WHOLE_BODY_BYTES } from "../../../src/cluster/links/link-dialect.ts";
import { LinkReadings, MAX_ANSWERING, READING_MS } from "../../../src/plugin/peer-readings.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { ExchangeRequest, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import type { PeerHandler } from "../../../src/tunnel/peer-handler.ts";
import { openUnsent } from "../../../src/tunnel/unsent-exchange.ts";
import { Inflow } from "../../../src/wire/inflow.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

/** Servers whose exchanges reach each other at once. */
class Peers {
  readonly clock = new FakeClock();
  readonly #handlers = new Map<string, PeerHandler>();
  /** Servers to which there is no link. */
  readonly cut = new Set<string>();

  add(id: string): LinkReadings {
    return new LinkReadings({
      serverId: id,
      clock: this.clock,
      log: silentLog,
      peers: () => ["a", "b", "c"].filter((peer) => peer !== id),
      exchanges: {
        serve: (_, handler) => void this.#handlers.set(id, handler),
        sessionTo: (peer) => (this.cut.has(peer) ? undefined : this.#sessionTo(peer)),
      },
    });
  }

  /** Lets everything happen that is ready. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 300; turn += 1) {
      for (let step = 0; step < 5; step += 1) await Promise.resolve();
      this.clock.advance(1);
    }
  }

  /** What arrives of a body: a long one comes in pieces. */
  #carried(body: ExchangeRequest["body"]): ExchangeRequest["body"] {
    if (!(body instanceof Uint8Array) || body.length <= WHOLE_BODY_BYTES) return body;
    const inflow = new Inflow(() => {});
    for (let at = 0; at < body.length; at += WHOLE_BODY_BYTES) {
      const piece = body.subarray(at, at + WHOLE_BODY_BYTES);
      this.clock.after(1, () => inflow.push(piece, at + piece.length === body.length));
    }
    return inflow;
  }

  #sessionTo(peer: string) {
    const session = new ScriptedSession(peer, [], 1, this.clock);
    const open = (request: ExchangeRequest, sink: ExchangeSink) => {
      const admitted = this.#handlers.get(peer)?.admit({ peerId: "a", head: request.head, order: undefined });
      if (admitted?.ok) return admitted.open({ ...request, body: this.#carried(request.body) }, sink);
      return openUnsent(request, sink, { kind: "broken", code: "canceled", message: "" }, this.clock);
    };
    return Object.assign(session, { open });
  }
}

test("a question is answered by all servers, line by line, however long the answers are", async () => {
  const peers = new Peers();
  const [a, b, c] = [peers.add("a"), peers.add("b"), peers.add("c")];
  b.answer("rows", (question) => Array.from({ length: 50_000 }, (_, at) => JSON.stringify([at, question])));
  c.answer("rows", async () => []);
  const asked = a.ask("rows", { from: 7 });
  await peers.settle();
  const { answers, missing } = await asked;
  expect(missing).toEqual([]);
  expect(answers.get("b")?.length).toBe(50_000);
  expect(answers.get("b")?.[49_999]).toEqual([49_999, { from: 7 }]);
  expect(answers.get("c")).toEqual([]);
});

test("a server that cannot be reached, fails, keeps nothing of the name or is too slow is named", async () => {
  const peers = new Peers();
  const [a, b] = [peers.add("a"), peers.add("b"), peers.add("c")];
  b.answer("failing", () => {
    throw new Error("the disk is gone");
  });
  b.answer("slow", () => new Promise(() => {}));
  b.answer("rows", () => ["1"]);
  peers.cut.add("c");
  const failing = a.ask("failing", {});
  await peers.settle();
  expect((await failing).missing).toEqual(["b", "c"]);
  const unknown = a.ask("unknown", {});
  await peers.settle();
  expect((await unknown).missing).toEqual(["b", "c"]);
  const slow = a.ask("slow", {});
  await peers.settle();
  peers.clock.advance(READING_MS);
  expect((await slow).missing).toEqual(["b", "c"]);
  const rows = a.ask("rows", {});
  await peers.settle();
  expect(await rows).toEqual({ answers: new Map([["b", [1]]]), missing: ["c"] });
});

test("a question that arrives in pieces is answered, and a server is named to which it is too long", async () => {
  const peers = new Peers();
  const [a, b] = [peers.add("a"), peers.add("b")];
  peers.cut.add("c");
  b.answer("length", (question) => [String(JSON.stringify(question).length)]);
  const long = { keys: "x".repeat(300_000) };
  const asked = a.ask("length", long);
  await peers.settle();
  expect(await asked).toEqual({ answers: new Map([["b", [JSON.stringify(long).length]]]), missing: ["c"] });
  const tooLong = a.ask("length", { keys: "x".repeat(5_000_000) });
  await peers.settle();
  expect((await tooLong).missing).toEqual(["b", "c"]);
  const none = a.ask("length", "no question");
  await peers.settle();
  expect((await none).missing).toEqual(["b", "c"]);
});

test("a server sends a bounded number of answers at a time, and answers again when they have ended", async () => {
  const peers = new Peers();
  const [a, b] = [peers.add("a"), peers.add("b")];
  peers.cut.add("c");
  const { promise, resolve } = Promise.withResolvers<string[]>();
  b.answer("rows", () => promise);
  const asked = Array.from({ length: MAX_ANSWERING + 3 }, () => a.ask("rows", {}));
  await peers.settle();
  resolve(["1"]);
  await peers.settle();
  const missing = (await Promise.all(asked)).map((each) => each.missing.length);
  expect(missing.filter((count) => count === 2)).toHaveLength(3);
  const again = a.ask("rows", {});
  await peers.settle();
  expect((await again).missing).toEqual(["c"]);
});
