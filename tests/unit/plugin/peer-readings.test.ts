import { expect, test } from "bun:test";
import { LinkReadings, READING_MS } from "../../../src/plugin/peer-readings.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { ExchangeRequest, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import type { PeerHandler } from "../../../src/tunnel/peer-handler.ts";
import { openUnsent } from "../../../src/tunnel/unsent-exchange.ts";
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

  #sessionTo(peer: string) {
    const session = new ScriptedSession(peer, [], 1, this.clock);
    const open = (request: ExchangeRequest, sink: ExchangeSink) => {
      const admitted = this.#handlers.get(peer)?.admit({ peerId: "a", head: request.head, order: undefined });
      if (admitted?.ok) return admitted.open(request, sink);
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
