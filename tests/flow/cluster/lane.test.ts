import { afterEach, describe, expect, test } from "bun:test";
import { LaneHub } from "../../../src/cluster/links/lane-hub.ts";
import { Links } from "../../../src/cluster/links/links.ts";
import type { LinkTransport } from "../../../src/cluster/links/transport.ts";
import { NatsBus } from "../../../src/cluster/nats/nats-bus.ts";
import { createSubjects } from "../../../src/cluster/subjects.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { PeerHandler } from "../../../src/tunnel/peer-handler.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { busOptions } from "../../support/nats-bus.ts";
import { TestNats } from "../../support/nats-server.ts";
import { HEAD, Listener } from "../../support/peer-pair.ts";

// Bodies over a real NATS server, between two servers that cannot dial each other.

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A network in which no server can dial another one. */
const WALLS: LinkTransport = {
  dial: (_address, _authorization, { onFailed }) => {
    const timer = setTimeout(() => onFailed("no route to host"), 1);
    return () => clearTimeout(timer);
  },
  listen: () => ({ port: 1, close: () => {} }),
};

const EVENTS = 100;

/** Answers with an event every 20 ms, 2 s in all. */
const streaming: PeerHandler = {
  admit: () => ({
    ok: true,
    open(_request, sink) {
      let count = 0;
      const timer = setInterval(() => {
        if (count === 0) sink.onHead({ status: 200, headers: [["content-type", "text/event-stream"]] });
        count += 1;
        sink.onData(Buffer.from(`data: ${count}\n\n`));
        if (count < EVENTS) return;
        clearInterval(timer);
        sink.onEnd({ kind: "complete" });
        sink.onSettled();
      }, 20);
      return { consumed: () => {}, cancel: () => clearInterval(timer), lastProgressAt: 0, isWaitingForUs: false };
    },
    onEnd: () => {},
    onSettled: () => {},
  }),
};

function join(id: string, urls: string, handler?: PeerHandler) {
  const bus = new NatsBus(busOptions(urls, id, []));
  const self = { id, epoch: `epoch-of-${id}` };
  const subjects = createSubjects("test");
  const lanes = new LaneHub({ self, bus, subject: subjects.lane, clock: systemClock });
  const links = new Links({
    self,
    deps: { clock: systemClock, log: silentLog, ids: systemIds },
    transport: WALLS,
    lanes,
    windowBytes: 256 * 1024,
    confirmTimeoutMs: 5000,
    random: Math.random,
  });
  if (handler) links.serve("http", handler, "llm");
  ends.push(() => bus.close());
  ends.push(() => {
    links.close("the test is over");
    lanes.close();
  });
  return { bus, links, contact: links.listen({ host: "127.0.0.1", port: 0 }, () => "192.0.2.1:8088") };
}

describe.skipIf(lacks("bodies over a real nats-server", PROGRAMS.nats))(
  "two servers that cannot dial each other",
  () => {
    test("have a lane, and every stream on it is whole although nats-server is killed and starts again", async () => {
      const nats = await TestNats.start();
      ends.push(() => nats.stop());
      const [a, b] = [join("a", nats.url), join("b", nats.url, streaming)];
      await eventually(() => a.bus.state.kind === "up" && b.bus.state.kind === "up", "both hear the bus", 20_000);
      a.links.heard(b.contact);
      b.links.heard(a.contact);
      const link = await eventually(() => a.links.linkTo("b"), "the peer is known");
      await eventually(() => link.session, "there is a lane", 20_000);
      expect([link.state, link.dialled, link.dialError]).toEqual(["lane", "192.0.2.1:8088", "no route to host"]);
      const sinks = Array.from({ length: 50 }, () => new Listener());
      for (const sink of sinks) link.session?.open({ head: HEAD, body: new Uint8Array(0) }, sink);
      await eventually(() => sinks.every(({ pieces }) => pieces.length > 5), "all have begun", 20_000);
      await nats.kill();
      await Bun.sleep(300);
      await nats.restart();
      await eventually(() => sinks.every((sink) => sink.ends.length > 0), "all have ended", 30_000);
      const whole = Array.from({ length: EVENTS }, (_, at) => `data: ${at + 1}\n\n`).join("");
      expect(new Set(sinks.map((sink) => sink.ends[0]?.kind))).toEqual(new Set(["complete"]));
      expect(new Set(sinks.map((sink) => sink.body.toString()))).toEqual(new Set([whole]));
    }, 90_000);
  },
);
