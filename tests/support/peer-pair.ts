import type { Links } from "../../src/cluster/links/links.ts";
import type { ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { Admitted, PeerHandler, PeerRequest, Refusal } from "../../src/tunnel/peer-handler.ts";
import type { RequestHead, ResponseHead } from "../../src/wire/heads.ts";
import type { PeerOrder } from "../../src/wire/peer-heads.ts";
import type { RequestBody } from "../../src/wire/pump.ts";
import { FakeClock } from "./fake-clock.ts";
import { PeerNetwork, settleNetwork } from "./peer-network.ts";
import { ScriptedSession } from "./scripted-session.ts";

export const ORDER: PeerOrder = { plugin: "llm", model: "m", exact: true, request_id: "r" };
export const HEAD: RequestHead = { method: "POST", path: "/x", headers: [], peer: ORDER };

/** A sink that keeps what it is told. */
export class Listener implements ExchangeSink {
  head: ResponseHead | undefined;
  readonly pieces: Uint8Array[] = [];
  readonly ends: ExchangeEnd[] = [];
  settled = 0;

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  onHead(head: ResponseHead): void {
    this.head = head;
  }

  onData(bytes: Uint8Array): void {
    this.pieces.push(bytes);
  }

  onEnd(end: ExchangeEnd): void {
    this.ends.push(end);
  }

  onSettled(): void {
    this.settled += 1;
  }
}

/** Serves all exchanges with one scripted worker. */
export class ScriptedHandler implements PeerHandler {
  readonly worker: ScriptedSession;
  readonly requests: PeerRequest[] = [];
  /** What was learned of each exchange at its end. */
  readonly judged: {
    readonly end: ExchangeEnd;
    readonly head: ResponseHead | undefined;
    readonly wasSilent: boolean;
  }[] = [];
  settled = 0;
  refusal: Refusal | undefined;

  constructor(clock: FakeClock) {
    this.worker = new ScriptedSession("w", ["m"], 1000, clock);
  }

  admit(request: PeerRequest): Admitted | Refusal {
    this.requests.push(request);
    if (this.refusal) return this.refusal;
    return {
      ok: true,
      worker: { id: "w", name: "box", session: "b~session" },
      open: (opened, sink) => this.worker.open(opened, sink),
      onEnd: (end, head, wasSilent) => void this.judged.push({ end, head, wasSilent }),
      onSettled: () => {
        this.settled += 1;
      },
    };
  }
}

/** Starts two servers with a link. `b` serves what `a` asks with a scripted worker. */
export async function startPair(windowBytes = 1000) {
  const network = new PeerNetwork(new FakeClock());
  const [a, b] = [network.join("a", { windowBytes }), network.join("b", { windowBytes })];
  const handler = new ScriptedHandler(network.clock);
  b.links.serve("http", handler, "llm");
  meet(a.links, b.links, a.contact, b.contact);
  network.clock.advance(50);
  await settleNetwork();
  const session = a.links.linkTo("b")?.session;
  if (!session) throw new Error("no link has come about");
  const open = (body: RequestBody = new Uint8Array(0), head: RequestHead = HEAD) => {
    const sink = new Listener();
    return { sink, exchange: session.open({ head, body }, sink) };
  };
  return { network, a, b, session, handler, worker: handler.worker, open };
}

function meet(a: Links, b: Links, ofA: Parameters<Links["heard"]>[0], ofB: Parameters<Links["heard"]>[0]): void {
  a.heard(ofB);
  b.heard(ofA);
}
