import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Fault } from "../../../src/errors.ts";
import { ClientGone } from "../../../src/http/body.ts";
import { AUDIO_FORM } from "../../../src/plugins/asr/audio-form.ts";
import { FormReader } from "../../../src/upload/form.ts";
import { Recording } from "../../../src/upload/recording.ts";
import { Spool } from "../../../src/upload/spool.ts";
import { SpoolSpace } from "../../../src/upload/spool-space.ts";
import { FORM_TYPE, formBytes, MODEL, sound } from "../../support/audio-form.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";

/** A scripted client that counts how much of its body was read. */
class Client {
  taken = 0;
  canceled = false;
  readonly #chunks: Uint8Array[];
  #ending: "end" | "break" | "stall" = "end";

  constructor(body: Uint8Array, piece: number) {
    this.#chunks = [];
    for (let at = 0; at < body.length; at += piece) this.#chunks.push(body.subarray(at, at + piece));
  }

  ending(how: "end" | "break" | "stall"): this {
    this.#ending = how;
    return this;
  }

  async read(): Promise<{ done: boolean; value?: Uint8Array }> {
    const value = this.#chunks.shift();
    if (value) {
      this.taken += value.length;
      return { done: false, value };
    }
    if (this.#ending === "break") throw new Error("gone");
    if (this.#ending === "stall") return new Promise(() => {});
    return { done: true };
  }

  async cancel(): Promise<void> {
    this.canceled = true;
  }
}

let directory: string;
let space: SpoolSpace;
let clock: FakeClock;
let draining: AbortController;
let unspooled: unknown[];
let recordings: Recording[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moorage-recording-test-"));
  space = new SpoolSpace(directory, 1e9);
  clock = new FakeClock();
  draining = new AbortController();
  unspooled = [];
  recordings = [];
});
afterEach(() => {
  for (const recording of recordings) recording.close();
  rmSync(directory, { recursive: true });
});

function record(source: Client, options: { maxBytes?: number; replayBytes?: number; in?: SpoolSpace } = {}): Recording {
  const recording = new Recording({
    source,
    form: new FormReader(FORM_TYPE, AUDIO_FORM),
    spool: new Spool(options.in ?? space),
    limit: { bytes: options.maxBytes ?? 1e9, setting: "MAX_AUDIO_BODY_BYTES" },
    replayBytes: options.replayBytes ?? 1e9,
    stallMs: 1000,
    clock,
    drainSignal: draining.signal,
    onUnspooled: (error) => unspooled.push(error),
  });
  recordings.push(recording);
  return recording;
}

async function take(stream: ReadableStream<Uint8Array>, bytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let taken = 0;
  while (taken < bytes) {
    const { done, value } = await reader.read();
    if (done || !value) break;
    // The piece is valid only until the next read.
    pieces.push(value.slice());
    taken += value.length;
  }
  if (taken >= bytes) await reader.cancel();
  return Buffer.concat(pieces);
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
}

const LARGE = formBytes([sound(3_000_000), MODEL]);
const MODEL_FIRST = formBytes([MODEL, sound(3_000_000)]);

describe("a recording", () => {
  test("reads no further than its model while nobody reads it", async () => {
    const client = new Client(MODEL_FIRST, 50_000);
    const recording = record(client);
    expect(await recording.readAwaited()).toBe("m");
    expect(client.taken).toBe(50_000);
  });

  test("reads as fast as it is consumed", async () => {
    const client = new Client(MODEL_FIRST, 50_000);
    const recording = record(client);
    await recording.readAwaited();
    const reader = recording.body().getReader();
    for (let reads = 1; reads <= 20; reads += 1) {
      await reader.read();
      expect(client.taken).toBe(reads * 50_000);
    }
  });

  test("sends the same bytes again after any number of aborted attempts", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(LARGE, MODEL_FIRST),
        fc.integer({ min: 10_000, max: 800_000 }),
        fc.array(fc.integer({ min: 1, max: LARGE.length }), { maxLength: 4 }),
        async (body, piece, attempts) => {
          const recording = record(new Client(body, piece));
          await recording.readAwaited();
          for (const bytes of attempts) {
            const taken = await take(recording.body(), bytes);
            expect(taken.equals(body.subarray(0, taken.length))).toBe(true);
            expect(recording.canBeSentAgain).toBe(true);
          }
          expect((await take(recording.body())).equals(body)).toBe(true);
          recording.close();
          expect(space.used).toBe(0);
        },
      ),
      { numRuns: times(25) },
    );
  });

  test("leaves no gap for the next attempt if one is aborted while it waits for the client", async () => {
    const parts = [MODEL_FIRST.subarray(0, 400_000), MODEL_FIRST.subarray(400_000)];
    const gate = Promise.withResolvers<void>();
    let reads = 0;
    const recording = record({
      async read() {
        reads += 1;
        if (reads === 2) await gate.promise;
        const value = parts[reads - 1];
        return value ? { done: false, value } : { done: true };
      },
      async cancel() {},
    } as unknown as Client); // the two methods that a recording uses
    await recording.readAwaited();
    const first = recording.body().getReader();
    await first.read();
    const pending = first.read();
    await first.cancel();
    await pending;
    const again = take(recording.body());
    gate.resolve();
    expect((await again).equals(MODEL_FIRST)).toBe(true);
  });

  test("says whether a stream is requested once it is whole", async () => {
    const asked = record(new Client(formBytes([MODEL, sound(10), { name: "stream", value: "true" }]), 100));
    await asked.readAwaited();
    expect(Bun.peek.status(asked.isStream)).toBe("pending");
    await take(asked.body());
    expect(await asked.isStream).toBe(true);
    const closed = record(new Client(MODEL_FIRST, 50_000));
    await closed.readAwaited();
    closed.close();
    expect(await closed.isStream).toBe(false);
  });

  test("stops keeping bytes once its answer has begun, and continues", async () => {
    const recording = record(new Client(MODEL_FIRST, 50_000));
    await recording.readAwaited();
    const reader = recording.body().getReader();
    for (let reads = 0; reads < 40; reads += 1) await reader.read();
    expect(space.used).toBeGreaterThan(0);
    recording.stopKeeping();
    expect(space.used).toBe(0);
    expect(recording.canBeSentAgain).toBe(false);
    while (!(await reader.read()).done) expect(space.used).toBe(0);
  });

  test("cancels the client's upload when it is closed", async () => {
    const client = new Client(LARGE, 50_000);
    const recording = record(client);
    await recording.readAwaited();
    recording.close();
    expect(client.canceled).toBe(true);
    expect(space.used).toBe(0);
  });
});

describe("an upload fails", () => {
  test("as soon as it exceeds the limit", async () => {
    const client = new Client(MODEL_FIRST, 50_000);
    const recording = record(client, { maxBytes: 1_000_000 });
    await recording.readAwaited();
    expect(await thrownBy(take(recording.body()))).toMatchObject({ code: "request_too_large" });
    expect(client.taken).toBe(1_050_000);
  });

  test("when its client disconnects, before the model and after it", async () => {
    const early = record(new Client(LARGE.subarray(0, 500_000), 50_000).ending("break"));
    expect(await thrownBy(early.readAwaited())).toBeInstanceOf(ClientGone);
    const late = record(new Client(MODEL_FIRST.subarray(0, 500_000), 50_000).ending("break"));
    await late.readAwaited();
    expect(await thrownBy(take(late.body()))).toBeInstanceOf(ClientGone);
  });

  test("when its client goes silent before the model", async () => {
    const recording = record(new Client(LARGE.subarray(0, 500_000), 50_000).ending("stall"));
    const failed = thrownBy(recording.readAwaited());
    await eventually(() => clock.pending > 0 && recording.bytes >= 500_000, "the upload stands still");
    clock.advance(1000);
    expect(await failed).toMatchObject({ code: "request_timeout" });
  });

  test("when the server drains before its model has arrived", async () => {
    const recording = record(new Client(LARGE.subarray(0, 500_000), 50_000).ending("stall"));
    const failed = thrownBy(recording.readAwaited());
    await eventually(() => recording.bytes >= 500_000, "the upload stands still");
    draining.abort();
    expect(await failed).toMatchObject({ code: "draining" });
  });

  test("when it has no file, before its last byte is passed on", async () => {
    const recording = record(new Client(formBytes([MODEL]), 1000));
    await recording.readAwaited();
    const error = await thrownBy(take(recording.body()));
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code: "invalid_request", param: "file" });
  });

  test("when it needs disk space until its model arrives, and there is none", async () => {
    const recording = record(new Client(LARGE, 50_000), { in: new SpoolSpace(directory, 1_000_000) });
    expect(await thrownBy(recording.readAwaited())).toMatchObject({ code: "spool_unavailable" });
  });
});

test("an upload beyond the kept size continues but cannot be sent again, unless it waited for its model", async () => {
  const live = record(new Client(MODEL_FIRST, 50_000), { replayBytes: 2_000_000 });
  await live.readAwaited();
  const reader = live.body().getReader();
  for (let reads = 0; reads < 40; reads += 1) await reader.read();
  expect(live.canBeSentAgain).toBe(true);
  await reader.read();
  expect(live.canBeSentAgain).toBe(false);
  expect(space.used).toBe(0);
  while (!(await reader.read()).done);
  expect(unspooled).toEqual([]);
  const waited = record(new Client(LARGE, 50_000), { replayBytes: 2_000_000 });
  await waited.readAwaited();
  await take(waited.body());
  expect((await take(waited.body())).equals(LARGE)).toBe(true);
});

describe("without disk space,", () => {
  test("an upload whose model is known can be sent once, and says so", async () => {
    const recording = record(new Client(MODEL_FIRST, 50_000), { in: new SpoolSpace(directory, 0) });
    await recording.readAwaited();
    expect((await take(recording.body())).equals(MODEL_FIRST)).toBe(true);
    expect(unspooled).toHaveLength(1);
    expect(recording.canBeSentAgain).toBe(false);
    expect(await thrownBy(take(recording.body()))).toMatchObject({ code: "worker_lost" });
  });

  test("an upload that fits in memory can be sent again", async () => {
    const body = formBytes([sound(900_000), MODEL]);
    const recording = record(new Client(body, 50_000), { in: new SpoolSpace(directory, 0) });
    await recording.readAwaited();
    await take(recording.body());
    expect((await take(recording.body())).equals(body)).toBe(true);
    expect(unspooled).toEqual([]);
  });
});
