import { expect, test } from "bun:test";
import { Idle } from "../../../src/system/idle.ts";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};

test("a wait resolves at once while its owner is idle", async () => {
  await new Idle(() => true).wait();
});

test("a wait resolves when its owner comes to rest, and every waiter is woken", async () => {
  let running = 1;
  const idle = new Idle(() => running === 0);
  let woken = 0;
  for (let waiter = 0; waiter < 2; waiter += 1) void idle.wait().then(() => (woken += 1));
  idle.check();
  await turns();
  expect(woken).toBe(0);
  running = 0;
  idle.check();
  await turns();
  expect(woken).toBe(2);
});

test("a wait goes on when new work has arrived before the waiter could run", async () => {
  let running = 1;
  const idle = new Idle(() => running === 0);
  let isWoken = false;
  void idle.wait().then(() => (isWoken = true));
  running = 0;
  idle.check();
  running = 1;
  await turns();
  expect(isWoken).toBe(false);
  running = 0;
  idle.check();
  await turns();
  expect(isWoken).toBe(true);
});
