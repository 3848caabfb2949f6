import { expect, test } from "bun:test";
import type { CancelTimer, Clock } from "../../../src/system/deps.ts";
import { SendQueue } from "../../../src/worker/send-queue.ts";

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

test("a link has room until a mebibyte waits, and again when most of it has left", () => {
  const socket = new FakeSocket();
  const clock = new Ticker();
  let drained = 0;
  const queue = new SendQueue(socket, clock, () => {
    drained += 1;
  });
  queue.send(new Uint8Array(1024 * 1024));
  expect(queue.hasRoom).toBe(true);
  expect(clock.running.size).toBe(0);
  queue.send(new Uint8Array(1));
  expect(queue.hasRoom).toBe(false);
  socket.bufferedAmount = 300 * 1024;
  clock.tick();
  expect([queue.hasRoom, drained]).toEqual([false, 0]);
  socket.bufferedAmount = 256 * 1024;
  clock.tick();
  expect([queue.hasRoom, drained]).toEqual([true, 1]);
  expect(clock.running.size).toBe(0);
});

test("a link that is closed while congested does not poll any more", () => {
  const clock = new Ticker();
  const queue = new SendQueue(new FakeSocket(), clock, () => {});
  queue.send(new Uint8Array(2 * 1024 * 1024));
  queue.close();
  expect(clock.running.size).toBe(0);
});
