import { expect, test } from "bun:test";
import type { CancelTimer, Clock } from "../../../src/system/deps.ts";
import { Outbox } from "../../../src/worker/outbox.ts";

class FakeSocket {
  bufferedAmount = 0;
  send(data: string | Uint8Array): void {
    this.bufferedAmount += data.length;
  }
}

/** Runs what was to repeat whenever told. */
class Ticker implements Clock {
  readonly running = new Set<() => void>();
  now = (): number => 0;
  elapsed = (): number => 0;
  after = (): CancelTimer => () => {};
  every(_ms: number, callback: () => void): CancelTimer {
    this.running.add(callback);
    return () => this.running.delete(callback);
  }
  tick(): void {
    for (const callback of [...this.running]) callback();
  }
}

test("a link has room until a mebibyte waits, and again when most of that has left", () => {
  const socket = new FakeSocket();
  const clock = new Ticker();
  let drained = 0;
  const outbox = new Outbox(socket, clock, () => {
    drained += 1;
  });
  outbox.send(new Uint8Array(1024 * 1024));
  expect(outbox.hasRoom).toBe(true);
  expect(clock.running.size).toBe(0);
  outbox.send(new Uint8Array(1));
  expect(outbox.hasRoom).toBe(false);
  socket.bufferedAmount = 300 * 1024;
  clock.tick();
  expect([outbox.hasRoom, drained]).toEqual([false, 0]);
  socket.bufferedAmount = 256 * 1024;
  clock.tick();
  expect([outbox.hasRoom, drained]).toEqual([true, 1]);
  expect(clock.running.size).toBe(0);
});

test("a link that is closed while congested asks no more", () => {
  const clock = new Ticker();
  const outbox = new Outbox(new FakeSocket(), clock, () => {});
  outbox.send(new Uint8Array(2 * 1024 * 1024));
  outbox.close();
  expect(clock.running.size).toBe(0);
});
