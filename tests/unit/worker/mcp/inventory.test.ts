import { expect, test } from "bun:test";
import type { Backend } from "../../../../src/answering/opening.ts";
import type { InventoryFacts } from "../../../../src/wire/mcp-inventory.ts";
import { createInventory, FAILED_MS, FRESH_MS, READ_MS } from "../../../../src/worker/mcp/inventory.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { turn } from "../../../support/turn.ts";

const backend: Backend = { open: () => ({ kind: "refuse", code: "internal", message: "not asked here" }) };

/** An inventory whose readings the test ends itself. */
function rig() {
  const clock = new FakeClock();
  const readings: PromiseWithResolvers<InventoryFacts>[] = [];
  const inventory = createInventory(backend, clock, () => {
    const reading = Promise.withResolvers<InventoryFacts>();
    readings.push(reading);
    return reading.promise;
  });
  return { clock, readings, inventory };
}

function facts(name: string): InventoryFacts {
  return { tools: [{ name }], prompts: [], resources: [], resourceTemplates: [], at: 1, isCut: false };
}

test("all who ask at the same time share one reading, and those who ask soon after get its result", async () => {
  const { clock, readings, inventory } = rig();
  const both = [inventory.read(), inventory.read()];
  await turn();
  readings[0]?.resolve(facts("a"));
  expect(await Promise.all(both)).toEqual([facts("a"), facts("a")]);
  clock.advance(FRESH_MS - 1);
  expect(await inventory.read()).toEqual(facts("a"));
  expect(readings).toHaveLength(1);
});

test("lists that are no longer fresh are read again", async () => {
  const { clock, readings, inventory } = rig();
  void inventory.read();
  await turn();
  readings[0]?.resolve(facts("a"));
  await turn();
  clock.advance(FRESH_MS);
  const again = inventory.read();
  await turn();
  readings[1]?.resolve(facts("b"));
  expect(await again).toEqual(facts("b"));
});

test("a change during a reading is followed by one more reading, however often the server announces it", async () => {
  const { readings, inventory } = rig();
  const before = inventory.read();
  await turn();
  for (let i = 0; i < 10; i += 1) inventory.changed();
  const after = [inventory.read(), inventory.read()];
  inventory.changed();
  after.push(inventory.read());
  await turn();
  expect(readings).toHaveLength(1);
  readings[0]?.resolve(facts("old"));
  expect(await before).toEqual(facts("old"));
  await turn();
  readings[1]?.resolve(facts("new"));
  expect(await Promise.all(after)).toEqual([facts("new"), facts("new"), facts("new")]);
  expect(readings).toHaveLength(2);
});

test("a change after a reading is seen at once", async () => {
  const { readings, inventory } = rig();
  void inventory.read();
  await turn();
  readings[0]?.resolve(facts("old"));
  await turn();
  inventory.changed();
  const again = inventory.read();
  await turn();
  readings[1]?.resolve(facts("new"));
  expect(await again).toEqual(facts("new"));
});

test("a failure stands for a few seconds, then the server is asked again", async () => {
  const { clock, readings, inventory } = rig();
  const first = inventory.read();
  await turn();
  readings[0]?.reject(new Error("down"));
  await expect(first).rejects.toThrow("down");
  await expect(inventory.read()).rejects.toThrow("down");
  clock.advance(FAILED_MS);
  const again = inventory.read();
  await turn();
  readings[1]?.resolve(facts("a"));
  expect(await again).toEqual(facts("a"));
});

test("a server that does not answer is given up, and leaves no timer", async () => {
  const { clock, inventory } = rig();
  const read = inventory.read();
  await turn();
  clock.advance(READ_MS);
  await expect(read).rejects.toThrow("in time");
  expect(clock.pending).toBe(0);
});
