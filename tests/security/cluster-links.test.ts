import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { createLinkKey, createNonce, type LinkContact, signDial } from "../../src/cluster/links/link-auth.ts";
import type { PeerHandler } from "../../src/tunnel/peer-handler.ts";
import { encodeCredit, encodeRequest, encodeRequestData, encodeReset, encodeResponse } from "../../src/wire/frame.ts";
import { encodeTell } from "../../src/wire/link-frame.ts";
import { eventually } from "../support/eventually.ts";
import { HEAD } from "../support/peer-pair.ts";
import { type RealLinks, startRealLinks } from "../support/real-links.ts";

// The listener of links: what strangers can do there, and what a server of the cluster can do that breaks the protocol.

const started: RealLinks[] = [];
const sockets: WebSocket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const { links } of started.splice(0)) links.close("the test is over");
});

/** A handler that takes everything and answers nothing; it counts what runs. */
function hole() {
  const counts = { running: 0, bytes: 0 };
  const handler: PeerHandler = {
    admit: () => ({
      ok: true,
      open(request, sink) {
        counts.running += 1;
        if (request.body instanceof Uint8Array) counts.bytes += request.body.length;
        return {
          consumed: () => {},
          cancel: () => {
            counts.running -= 1;
            sink.onEnd({ kind: "canceled" });
            sink.onSettled();
          },
          lastProgressAt: 0,
          isWaitingForUs: false,
        };
      },
      onEnd: () => {},
      onSettled: () => {},
    }),
  };
  return { counts, handler };
}

function startServer() {
  const { counts, handler } = hole();
  const server = startRealLinks("b", handler);
  started.push(server);
  return { ...server, counts };
}

let time = 0;
function signed({ id, epoch, linkKey }: LinkContact, from = "a"): string {
  time += 1;
  return signDial({ from: { id: from, epoch: "e" }, to: { id, epoch }, time, nonce: createNonce() }, linkKey);
}

/** Opens a socket with these credentials. Resolves to undefined if it is refused. */
function dial({ address }: LinkContact, authorization: string | undefined): Promise<WebSocket | undefined> {
  const headers = authorization === undefined ? {} : { authorization };
  const init = { headers, perMessageDeflate: false } as unknown as string[];
  const socket = new WebSocket(`ws://${address}/link`, init);
  sockets.push(socket);
  return new Promise((resolve) => {
    socket.onopen = () => resolve(socket);
    socket.onclose = () => resolve(undefined);
  });
}

/** Puts frames into one message. */
function message(...frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    }),
  );
}

const HELLO = encodeTell("hello", JSON.stringify({ epoch: "e", link: [1, 1], window: 1000, kinds: [] }));

/** Joins as a server that has the credentials of the cluster. */
async function join(contact: LinkContact, hello = HELLO): Promise<{ socket: WebSocket; isClosed: () => boolean }> {
  const socket = await dial(contact, signed(contact));
  if (!socket) throw new Error("it was refused");
  let isClosed = false;
  socket.onclose = () => {
    isClosed = true;
  };
  socket.send(message(hello));
  return { socket, isClosed: () => isClosed };
}

describe("a stranger at the listener of links", () => {
  test("gets no socket without credentials, with a wrong key, or with a copy of another's request", async () => {
    const { contact } = startServer();
    const once = signed(contact);
    expect(await dial(contact, undefined)).toBeUndefined();
    expect(await dial(contact, "Bearer x")).toBeUndefined();
    expect(await dial(contact, signed({ ...contact, linkKey: createLinkKey() }))).toBeUndefined();
    expect(await dial(contact, once)).toBeDefined();
    expect(await dial(contact, once)).toBeUndefined();
  });

  test("gets 401 or 404 without a word more, whatever is asked", async () => {
    const { contact } = startServer();
    for (const [path, status] of [
      ["/link", 401],
      ["/", 404],
      ["/v1/models", 404],
      ["/link/../metrics", 404],
      ["/api/state", 404],
    ] as const) {
      const response = await fetch(`http://${contact.address}${path}`);
      expect([path, response.status, await response.text()]).toEqual([path, status, ""]);
    }
    const posted = await fetch(`http://${contact.address}/link`, { method: "POST", body: "x".repeat(100_000) });
    expect([401, 413]).toContain(posted.status);
  });

  test("that sends an invalid Host gets 404, without an error in the process", async () => {
    const { contact } = startServer();
    const [host = "", port = ""] = contact.address?.split(":") ?? [];
    for (const request of [
      "GET /link HTTP/1.1\r\nHost: a b",
      "GET /link HTTP/1.1\r\nHost: [::",
      "GET //// HTTP/1.1\r\nHost: \xff",
      "GET /link HTTP/1.0",
    ]) {
      const socket = connect(Number(port), host);
      const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(data.toString())));
      socket.write(`${request}\r\n\r\n`);
      expect(await answer).toStartWith("HTTP/1.1 404");
      socket.destroy();
    }
  });

  test("that opens connections and sends nothing, or garbage, keeps no peer out", async () => {
    const { contact, links } = startServer();
    const [host = "", port = ""] = contact.address?.split(":") ?? [];
    const idle = Array.from({ length: 300 }, (_, at) => {
      const socket = connect(Number(port), host);
      socket.on("error", () => {});
      if (at % 2 === 0) socket.write(Buffer.alloc(1000, at));
      return socket;
    });
    const a = startRealLinks("a");
    started.push(a);
    a.links.heard(contact);
    links.heard(a.contact);
    await eventually(() => a.links.linkTo("b")?.state === "direct", "the peer has a link");
    for (const socket of idle) socket.destroy();
  });

  test("that tries 1,000 keys gets no further, and costs a peer nothing", async () => {
    const { contact } = startServer();
    const wrong = { ...contact, linkKey: createLinkKey() };
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, () =>
          fetch(`http://${contact.address}/link`, { headers: { authorization: signed(wrong) } }),
        ),
      );
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([401]));
    }
    expect(await dial(contact, signed(contact))).toBeDefined();
  });
});

describe("a server of the cluster that breaks the protocol", () => {
  test.each<readonly [string, Uint8Array | string]>([
    ["text", "hello"],
    ["a length beyond the message", Buffer.from([0, 0, 0, 9, 1])],
    ["a length that is cut", Buffer.from([0, 0])],
    ["a frame of more than 1 MiB", message(encodeRequestData(1, new Uint8Array(1024 * 1024 + 1), false))],
    ["a message of more than 2 MiB", Buffer.alloc(2 * 1024 * 1024 + 1)],
    ["a frame that is shorter than its header", message(Buffer.from([4, 0]))],
    ["a request with an id of the other end", message(encodeRequest(2, HEAD, new Uint8Array(0), true))],
    [
      "the same request id twice",
      message(encodeRequest(3, HEAD, new Uint8Array(0), true), encodeRequest(3, HEAD, new Uint8Array(0), true)),
    ],
    ["data for an exchange that was never opened", message(encodeRequestData(9, new Uint8Array(1), false))],
    [
      "an answer to a request that was never made",
      message(encodeResponse(2, { status: 200, headers: [] }, new Uint8Array(0), true)),
    ],
    ["credit for a request that was never made", message(encodeCredit(4, 1))],
    [
      "a request whose order is nonsense",
      message(encodeRequest(1, { ...HEAD, peer: { plugin: 7 } as never }, new Uint8Array(0), true)),
    ],
    [
      "a request whose head splits a line",
      message(encodeRequest(1, { ...HEAD, headers: [["a", "b\r\nc: d"]] }, new Uint8Array(0), true)),
    ],
  ])("by %s loses its link, and what ran on it", async (_what, bytes) => {
    const { contact, links, counts } = startServer();
    const { socket, isClosed } = await join(contact);
    socket.send(message(encodeRequest(1, HEAD, new Uint8Array(0), true)).subarray());
    await eventually(() => counts.running === 1, "an exchange runs");
    socket.send(bytes as Uint8Array<ArrayBuffer>);
    await eventually(isClosed, "the link has ended");
    expect(counts.running).toBe(0);
    expect(links.linkTo("a")?.session).toBeUndefined();
  });

  test.each<readonly [string, Uint8Array]>([
    ["with a request", encodeRequest(1, HEAD, new Uint8Array(0), true)],
    ["with no JSON", encodeTell("hello", "{")],
    [
      "with fields of the wrong kind",
      encodeTell("hello", JSON.stringify({ epoch: 1, link: "x", window: -1, kinds: {} })),
    ],
    ["for another run", encodeTell("hello", JSON.stringify({ epoch: "f", link: [1, 1], window: 1000, kinds: [] }))],
    [
      "with no version in common",
      encodeTell("hello", JSON.stringify({ epoch: "e", link: [2, 9], window: 1000, kinds: [] })),
    ],
  ])("in its first message, %s, gets no link", async (_what, first) => {
    const { contact, links, counts } = startServer();
    const { isClosed } = await join(contact, first);
    await eventually(isClosed, "the socket has closed");
    expect(links.linkTo("a")?.session).toBeUndefined();
    expect(counts.running).toBe(0);
  });

  test("by sending more of a body than was granted loses that exchange alone", async () => {
    const { contact, counts } = startServer();
    const { socket, isClosed } = await join(contact);
    const large = new Uint8Array(200 * 1024);
    socket.send(
      message(encodeRequest(1, HEAD, new Uint8Array(0), true), encodeRequest(3, HEAD, new Uint8Array(0), false)),
    );
    await eventually(() => counts.running === 2, "both run");
    socket.send(message(encodeRequestData(3, large, false)));
    socket.send(message(encodeRequestData(3, large, false)));
    await eventually(() => counts.running === 1, "one has ended");
    expect(isClosed()).toBe(false);
  });

  test("by floods of small frames gains nothing, and the link goes on", async () => {
    const { contact, links, counts } = startServer();
    const { socket, isClosed } = await join(contact);
    socket.send(message(encodeRequest(1, HEAD, new Uint8Array(0), true)));
    const flood = message(
      ...Array.from({ length: 5000 }, () => encodeCredit(1, 0xffff_ffff)),
      ...Array.from({ length: 5000 }, () => encodeTell("unknown", "x")),
      ...Array.from({ length: 5000 }, () => new Uint8Array([200, 0, 0, 0, 0, 1])),
    );
    for (let count = 0; count < 5; count += 1) socket.send(flood);
    for (let id = 3; id < 2003; id += 2)
      socket.send(message(encodeRequest(id, HEAD, new Uint8Array(0), true), encodeReset(id, "canceled", "")));
    await eventually(() => counts.running === 1, "the flood has passed");
    expect([isClosed(), links.linkTo("a")?.state]).toEqual([false, "direct"]);
  });
});
