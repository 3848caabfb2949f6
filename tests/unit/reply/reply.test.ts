import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { Reply, type ReplySource } from "../../../src/reply/reply.ts";
import type { HeaderPairs } from "../../../src/wire/heads.ts";
import type { LineState } from "../../../src/wire/line-state.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const KEEPALIVE_MS = 15_000;
const JSON_TYPE: HeaderPairs = [["content-type", "application/json"]];
const EVENTS: HeaderPairs = [["content-type", "text/event-stream; charset=utf-8"]];
const GZIP_EVENTS: HeaderPairs = [...EVENTS, ["Content-Encoding", "gzip"]];

/** A source that comments wherever no line is open, and records what it is told. */
class Source implements ReplySource {
  taken = 0;
  cancelled = 0;
  readonly asked: LineState[] = [];

  consumed(bytes: number): void {
    this.taken += bytes;
  }

  cancel(): void {
    this.cancelled += 1;
  }

  toHeaders({ headers }: { readonly headers: HeaderPairs }, isEventStream: boolean): Headers {
    const all = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
    all.set("x-event-stream", String(isEventStream));
    return all;
  }

  toComment(lineState: LineState): Uint8Array | undefined {
    this.asked.push(lineState);
    return lineState === "inside" ? undefined : Buffer.from(": quiet\n");
  }
}

function start() {
  const clock = new FakeClock();
  const source = new Source();
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const reply = new Reply(source, { clock, keepaliveMs: KEEPALIVE_MS }, resolve, reject);
  return { clock, source, reply, response: promise };
}

/** What a client has read so far; reading goes on in the background. */
async function read(response: Response): Promise<{ text: string; isDone: boolean; error: unknown }> {
  const seen = { text: "", isDone: false, error: undefined as unknown };
  const reader = (response.body ?? expect.unreachable()).getReader();
  void (async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        seen.text += Buffer.from(value).toString("latin1");
      }
      seen.isDone = true;
    } catch (error) {
      seen.error = error;
    }
  })();
  await settle();
  return seen;
}

/** Lets pending promises settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("an answer that is complete one microtask after its head", () => {
  test("is a response without a stream, with its length, and earns no credit", async () => {
    const { reply, response, clock, source } = start();
    reply.begin({ status: 201, headers: JSON_TYPE });
    reply.write(Buffer.from('{"a":'));
    reply.write(Buffer.from("1}"));
    reply.complete();
    const { status, headers, body } = await response;
    expect(status).toBe(201);
    expect(headers.get("x-event-stream")).toBe("false");
    expect(await new Response(body).text()).toBe('{"a":1}');
    expect([clock.pending, source.taken]).toEqual([0, 0]);
  });

  test("is one also for an event stream, byte for byte", async () => {
    const { reply, response, clock } = start();
    reply.begin({ status: 200, headers: EVENTS });
    reply.write(Buffer.from("data: 1\n\n"));
    reply.complete();
    const whole = await response;
    expect(whole.headers.get("x-event-stream")).toBe("true");
    expect(await whole.text()).toBe("data: 1\n\n");
    expect(clock.pending).toBe(0);
  });

  test.each([204, 205, 304])("has no body with status %d, whatever the worker sent", async (status) => {
    const { reply, response } = start();
    reply.begin({ status, headers: [] });
    reply.write(Buffer.from("x"));
    reply.complete();
    expect((await response).body).toBeNull();
  });

  test("that is cut in the same turn is an error, never a response", async () => {
    const { reply, response } = start();
    reply.begin({ status: 200, headers: JSON_TYPE });
    reply.write(Buffer.from("{"));
    expect(reply.takesEvents).toBe(false);
    reply.cut(new Error("lost"));
    await expect(response).rejects.toThrow("lost");
  });
});

describe("an answer that takes longer", () => {
  test("is a stream whose bytes are reported once the client has read them", async () => {
    const { reply, response, source } = start();
    reply.begin({ status: 200, headers: JSON_TYPE });
    reply.write(Buffer.from("held "));
    const seen = await read(await response);
    reply.write(Buffer.from("and more"));
    reply.complete();
    await settle();
    expect(seen).toMatchObject({ text: "held and more", isDone: true });
    expect(source.taken).toBeGreaterThanOrEqual("held ".length);
  });

  test("is cut if it fails, so that it cannot look complete", async () => {
    const { reply, response } = start();
    reply.begin({ status: 200, headers: JSON_TYPE });
    reply.write(Buffer.from("{"));
    const seen = await read(await response);
    expect(reply.takesEvents).toBe(false);
    reply.cut(new Error("lost"));
    await settle();
    expect(seen).toMatchObject({ text: "{", isDone: false });
    expect(String(seen.error)).toContain("lost");
  });

  test("cancels its source when the client leaves", async () => {
    const { reply, response, source } = start();
    reply.begin({ status: 200, headers: JSON_TYPE });
    reply.write(Buffer.from("{"));
    await (await response).body?.cancel();
    expect(source.cancelled).toBe(1);
  });

  test("gets no comments and no timer unless it is an event stream", async () => {
    const { reply, response, clock, source } = start();
    reply.begin({ status: 200, headers: JSON_TYPE });
    const seen = await read(await response);
    expect(clock.pending).toBe(0);
    clock.advance(10 * KEEPALIVE_MS);
    await settle();
    expect([seen.text, source.asked]).toEqual(["", []]);
  });
});

describe("an event stream", () => {
  test("without a byte yet begins with a comment, which carries its head to the client", async () => {
    const { reply, response } = start();
    reply.begin({ status: 200, headers: EVENTS });
    expect((await read(await response)).text).toBe(": quiet\n");
  });

  test("gets a comment after each quiet interval, and no others", async () => {
    const { reply, response, clock } = start();
    reply.begin({ status: 200, headers: EVENTS });
    reply.write(Buffer.from("data: 1\n\n"));
    const seen = await read(await response);
    clock.advance(10_000);
    reply.write(Buffer.from("data: 2\n\n"));
    clock.advance(14_999);
    await settle();
    expect(seen.text).toBe("data: 1\n\ndata: 2\n\n");
    clock.advance(1);
    await settle();
    clock.advance(KEEPALIVE_MS);
    await settle();
    expect(seen.text).toBe("data: 1\n\ndata: 2\n\n: quiet\n: quiet\n");
    reply.complete();
    expect(clock.pending).toBe(0);
  });

  test("that is quiet inside a line is checked once per interval", async () => {
    const { reply, response, clock, source } = start();
    reply.begin({ status: 200, headers: EVENTS });
    reply.write(Buffer.from("data: half"));
    const seen = await read(await response);
    for (let step = 0; step < 40; step += 1) {
      clock.advance(KEEPALIVE_MS / 4);
      await settle();
    }
    expect(source.asked).toEqual(Array(10).fill("inside"));
    expect(seen.text).toBe("data: half");
  });

  test("gets no comment while its client does not read", async () => {
    const { reply, response, clock, source } = start();
    reply.begin({ status: 200, headers: EVENTS });
    reply.write(Buffer.from("data: 1\n\n"));
    await response;
    clock.advance(10 * KEEPALIVE_MS);
    expect(source.asked).toEqual([]);
  });

  test("ends in order with a separate event of the server, also after an unfinished line", async () => {
    const { reply, response, clock } = start();
    reply.begin({ status: 200, headers: EVENTS });
    reply.write(Buffer.from("data: ha"));
    const seen = await read(await response);
    expect(reply.takesEvents).toBe(true);
    reply.endWithEvent("data: error\n\n");
    await settle();
    expect(seen).toMatchObject({ text: "data: ha\n\ndata: error\n\n", isDone: true });
    expect(clock.pending).toBe(0);
  });

  test("can be opened before there is an answer", async () => {
    const { reply, response, clock } = start();
    reply.openEvents(new Headers({ "content-type": "text/event-stream" }));
    const opened = await response;
    const seen = await read(opened);
    expect([opened.status, seen.text]).toEqual([200, ": quiet\n"]);
    clock.advance(KEEPALIVE_MS);
    reply.write(Buffer.from("data: 1\n\n"));
    reply.complete();
    await settle();
    expect(seen).toMatchObject({ text: ": quiet\n: quiet\ndata: 1\n\n", isDone: true });
  });
});

describe("a compressed event stream", () => {
  const packed = gzipSync("data: 1\n\n");

  test("is passed on byte for byte without comments, however long it is quiet", async () => {
    const { reply, response, clock, source } = start();
    reply.begin({ status: 200, headers: GZIP_EVENTS });
    const answer = await response;
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    expect(answer.headers.get("x-event-stream")).toBe("true");
    const seen = await read(answer);
    clock.advance(10 * KEEPALIVE_MS);
    reply.write(packed);
    clock.advance(10 * KEEPALIVE_MS);
    reply.complete();
    await settle();
    expect(Buffer.from(seen.text, "latin1")).toEqual(packed);
    expect([source.asked, clock.pending]).toEqual([[], 0]);
  });

  test("gets no error event and is cut", async () => {
    const { reply, response } = start();
    reply.begin({ status: 200, headers: GZIP_EVENTS });
    const seen = await read(await response);
    expect([reply.isEventStream, reply.takesEvents]).toEqual([true, false]);
    reply.cut(new Error("lost"));
    await settle();
    expect(seen.isDone).toBe(false);
  });
});
