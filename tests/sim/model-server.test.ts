import { expect, test } from "bun:test";
import { FakeClock } from "../support/fake-clock.ts";
import { type Hardware, ModelServer } from "./support/model-server.ts";
import { BLOCK_TOKENS, PrefixCache } from "./support/prefix-cache.ts";

const HARDWARE: Hardware = { slots: 2, stepMs: 10, tokenMs: 0, stepTokens: 50, cacheTokens: 10 * BLOCK_TOKENS };

function setUp(hardware: Hardware) {
  const clock = new FakeClock();
  const startedAt = clock.elapsed();
  const server = new ModelServer(hardware, clock);
  const events: string[] = [];
  const note = (what: string): void => void events.push(`${what} at ${clock.elapsed() - startedAt}`);
  const start = (name: string, restTokens: number, outputTokens: number) =>
    server.start({
      blocks: [],
      restTokens,
      outputTokens,
      onFirstToken: () => note(`${name} begins`),
      onEnd: () => note(`${name} ends`),
    });
  return { clock, server, events, start };
}

test("a prompt takes as many steps as its tokens fill, and each further token of the answer takes one", () => {
  const { clock, server, events, start } = setUp(HARDWARE);
  const cost = start("a", 100, 100);
  clock.advance(5000);
  expect(events).toEqual(["a begins at 20", "a ends at 1010"]);
  expect(server.busyMs).toBe(1010);
  expect(cost.computeMs).toBe(1010);
});

test("a request that arrives during a step takes part from the next one on", () => {
  const { clock, events, start } = setUp(HARDWARE);
  start("a", 50, 100);
  clock.advance(505);
  start("b", 49, 3);
  clock.advance(5000);
  expect(events).toEqual(["a begins at 10", "b begins at 520", "b ends at 540", "a ends at 1000"]);
});

test("an answer in progress goes on while a long prompt is computed, which gets the rest of each step", () => {
  const { clock, events, start } = setUp(HARDWARE);
  start("a", 50, 5);
  clock.advance(10);
  start("b", 3 * 49, 1);
  clock.advance(5000);
  expect(events).toEqual(["a begins at 10", "b begins at 50", "a ends at 50", "b ends at 50"]);
});

test("a machine of half the speed takes twice as long", () => {
  const { clock, events, start } = setUp({ ...HARDWARE, speed: 0.5 });
  start("a", 100, 100);
  clock.advance(5000);
  expect(events).toEqual(["a begins at 40", "a ends at 2020"]);
});

test("tokens that are in the cache are not computed again", () => {
  const { clock, server } = setUp(HARDWARE);
  const generation = { restTokens: 10, outputTokens: 1, onFirstToken: () => {}, onEnd: () => {} };
  server.start({ ...generation, blocks: [1, 2] });
  const { cachedTokens } = server.start({ ...generation, blocks: [1, 2, 3] });
  clock.advance(1000);
  expect(cachedTokens).toBe(2 * BLOCK_TOKENS);
  expect(server.computedTokens).toBe(3 * BLOCK_TOKENS + 20);
});

test("a prompt hits a cache as far as its blocks are there from the first one on, and the oldest block goes first", () => {
  const cache = new PrefixCache(3 * BLOCK_TOKENS);
  expect(cache.use([1, 2])).toBe(0);
  expect(cache.use([1, 2, 3])).toBe(2);
  expect(cache.use([9, 2, 3])).toBe(0);
  expect(cache.use([1])).toBe(0);
});
