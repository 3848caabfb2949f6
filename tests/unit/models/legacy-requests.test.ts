import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeLegacyCancel, encodeLegacyRequest } from "../../../src/models/legacy-lane.ts";
import { RequestRoom } from "../../../src/models/request-room.ts";
import type { RequestHead } from "../../../src/wire/heads.ts";
import { chunk, end, headers, POST, startLegacySession as start } from "../../support/legacy-session.ts";
import { turn } from "../../support/turn.ts";

const STANDARD_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

describe("a request to a legacy worker", () => {
  test("is one message with exactly the dialect's fields", () => {
    const head: RequestHead = { ...POST, headers: [["a", "1"]], stream: true, timeout_ms: 5 };
    expect(JSON.parse(encodeLegacyRequest(12, head, Buffer.from("body")))).toEqual({
      type: "http_proxy_request",
      request_id: "12",
      method: "POST",
      path: "/chat/completions",
      headers: { a: "1" },
      stream: true,
      body: "Ym9keQ==",
    });
  });

  test("without a body and without a stream has neither field", () => {
    const text = encodeLegacyRequest(
      1,
      { method: "GET", path: "/models", headers: [], stream: false },
      Buffer.alloc(0),
    );
    expect(Object.keys(JSON.parse(text))).toEqual(["type", "request_id", "method", "path", "headers"]);
  });

  test("carries any bytes, also those that are a view of a larger buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(10), (bytes, offset) => {
        const view = Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(5)]).subarray(
          offset,
          offset + bytes.length,
        );
        const { body } = JSON.parse(encodeLegacyRequest(1, POST, view));
        expect(body).toMatch(STANDARD_BASE64);
        expect(Buffer.from(body, "base64").equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  test("joins repeated headers, because the dialect has one value per name", () => {
    const text = encodeLegacyRequest(
      1,
      {
        ...POST,
        headers: [
          ["a", "1"],
          ["b", "2"],
          ["a", "3"],
        ],
      },
      Buffer.alloc(0),
    );
    expect(JSON.parse(text).headers).toEqual({ a: "1, 3", b: "2" });
  });

  test("sends headers named like properties of an object unchanged", () => {
    const names = ["constructor", "__proto__", "toString", "hasownproperty"];
    const text = encodeLegacyRequest(1, { ...POST, headers: names.map((name) => [name, "x"]) }, Buffer.alloc(0));
    expect(Object.entries(JSON.parse(text).headers)).toEqual(names.map((name) => [name, "x"]));
  });

  test("of many pieces is collected and sent in one message, without flow control", async () => {
    const { sent, open } = start();
    let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
    open(
      new ReadableStream<Uint8Array>({
        start: (controller) => {
          feed = controller;
        },
      }),
    );
    feed?.enqueue(Buffer.alloc(200 * 1024, "a"));
    feed?.enqueue(Buffer.alloc(200 * 1024, "b"));
    await turn();
    expect(sent).toEqual([]);
    feed?.close();
    await turn();
    expect(sent.length).toBe(1);
    const { body } = sent[0] as { body: string };
    expect(Buffer.from(body, "base64").toString()).toBe("a".repeat(200 * 1024) + "b".repeat(200 * 1024));
  });

  test("of a mebibyte in memory is one message too", () => {
    const { sent, open } = start();
    open(new Uint8Array(1024 * 1024));
    expect(sent.length).toBe(1);
  });

  test("of many pieces has the fields that are known only at its end, and any header, unchanged", async () => {
    const { sent, open } = start();
    let isStream = false;
    const head: RequestHead = {
      ...POST,
      headers: [["x", "caf\u00e9"]],
      get stream() {
        return isStream;
      },
    };
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(Buffer.from("body"));
        isStream = true;
        controller.close();
      },
    });
    open(body, head);
    await turn();
    expect(sent).toEqual([
      {
        type: "http_proxy_request",
        request_id: "1",
        method: "POST",
        path: "/chat/completions",
        headers: { x: "caf\u00e9" },
        stream: true,
        body: "Ym9keQ==",
      },
    ]);
  });

  test("of a stream without bytes has no body", async () => {
    const { sent, open } = start();
    open(new ReadableStream<Uint8Array>({ start: (controller) => controller.close() }));
    await turn();
    expect(sent.length).toBe(1);
    expect(sent[0]).not.toContainKey("body");
  });

  test("waits while older ones fill the memory for requests, and is sent when these have left", async () => {
    const room = new RequestRoom(300_000);
    const { sent, open } = start({ room });
    const feeds: ReadableStreamDefaultController<Uint8Array>[] = [];
    const openStream = () =>
      open(new ReadableStream<Uint8Array>({ start: (controller) => void feeds.push(controller) }));
    for (let count = 0; count < 3; count += 1) openStream();
    for (const feed of feeds) for (let count = 0; count < 4; count += 1) feed.enqueue(new Uint8Array(100_000));
    feeds[1]?.close();
    feeds[2]?.close();
    await turn();
    expect(sent).toEqual([]);
    expect(room.used).toBeLessThan(300_000 + 4 * 140_000);
    feeds[0]?.close();
    await turn();
    expect(sent.map((message) => (message as { request_id: string }).request_id)).toEqual(["1", "2", "3"]);
    expect(room.used).toBe(0);
  });

  test("that is given up leaves its memory to others", async () => {
    const room = new RequestRoom(100_000);
    const { sent, open } = start({ room });
    const body = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(200_000)) });
    const [first, second] = [open(body()), open(body())];
    await turn();
    expect(room.used).toBeGreaterThan(200_000);
    first.exchange.cancel("canceled");
    await turn();
    expect(room.used).toBeGreaterThan(200_000);
    second.exchange.cancel("timeout");
    await turn();
    expect(room.used).toBe(0);
    expect(sent).toEqual([]);
  });

  test("is cancelled with http_proxy_cancel, and settles with the worker's end or after five seconds", () => {
    expect(JSON.parse(encodeLegacyCancel(3))).toEqual({ type: "http_proxy_cancel", request_id: "3" });
    const { sent, open, hear, clock } = start();
    const [told, silent] = [open(), open()];
    told.exchange.cancel("canceled");
    silent.exchange.cancel("timeout");
    expect(sent.slice(2)).toEqual([
      { type: "http_proxy_cancel", request_id: "1" },
      { type: "http_proxy_cancel", request_id: "2" },
    ]);
    hear(headers("1", 200), chunk("1", "late"), end("1", "canceled"));
    expect(told.sink.heard).toEqual(["canceled", "settled"]);
    clock.advance(5000);
    expect(silent.sink.heard).toEqual(["canceled", "settled"]);
  });
});
