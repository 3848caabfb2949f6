import { describe, expect, test } from "bun:test";
import { type CallBody, readMcpBody } from "../../../../src/plugins/mcp/request-body.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const KIB = 1024;
const PIECE = 40 * KIB;

/** Reads a call of this many pieces as far as a server looks into it. */
async function readCall(pieces: number, maxBytes = 100 * PIECE) {
  const given: Uint8Array[] = [];
  const stops: unknown[] = [];
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (given.length === pieces) return controller.close();
        given.push(new Uint8Array(PIECE).fill(given.length + 1));
        controller.enqueue(given.at(-1) ?? expect.unreachable());
      },
      cancel: (reason) => void stops.push(reason),
    },
    { highWaterMark: 0 },
  );
  const request = new Request("http://x/", { method: "POST", body: stream });
  const { body } = await readMcpBody(request, { maxBytes, timeoutMs: 1000, clock: new FakeClock() });
  return { given, stops, body: body ?? expect.unreachable() };
}

function openStream(body: CallBody): ReadableStream<Uint8Array> {
  const opened = body.open();
  return opened instanceof Uint8Array ? expect.unreachable("the body was read whole") : opened;
}

describe("a call whose body is larger than what is looked into", () => {
  test("can be opened again, from its first byte, although its first part was read", async () => {
    const { given, stops, body } = await readCall(5);
    const first = openStream(body).getReader();
    expect((await first.read()).value?.[0]).toBe(1);
    await first.cancel("the relay has left");
    expect([body.mayReopen, stops]).toEqual([true, []]);
    const whole = Buffer.from(await new Response(openStream(body)).arrayBuffer());
    expect(whole.equals(Buffer.concat(given))).toBeTrue();
  });

  test("holds no more meanwhile than what was looked into", async () => {
    const { given, body } = await readCall(1000, 2000 * PIECE);
    for (let count = 0; count < 3; count += 1) {
      const reader = openStream(body).getReader();
      await reader.read();
      await reader.cancel("the relay has left");
    }
    expect(given.length * PIECE).toBeLessThanOrEqual(64 * KIB + PIECE);
  });

  test("cannot be opened again once more of it was read, and is stopped when that is given up", async () => {
    const { given, stops, body } = await readCall(5);
    const ahead = given.length;
    const reader = openStream(body).getReader();
    for (let count = 0; count < ahead; count += 1) await reader.read();
    expect(body.mayReopen).toBeTrue();
    await reader.read();
    expect(body.mayReopen).toBeFalse();
    await reader.cancel("the client left");
    expect(stops).toHaveLength(1);
  });

  test("is stopped when it is settled after it was given up, and when it is given up after that", async () => {
    const before = await readCall(5);
    await openStream(before.body).cancel("no relay");
    expect(before.stops).toEqual([]);
    before.body.settle();
    expect([before.stops.length, before.body.mayReopen]).toEqual([1, false]);
    const after = await readCall(5);
    const stream = openStream(after.body);
    after.body.settle();
    expect(after.stops).toEqual([]);
    await stream.cancel("answered early");
    expect(after.stops).toHaveLength(1);
  });
});
