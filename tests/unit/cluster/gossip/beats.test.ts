import { expect, test } from "bun:test";
import { Beats } from "../../../../src/cluster/gossip/beats.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

function setUp(ahead = 0) {
  const clock = new FakeClock();
  clock.advance(ahead);
  const sent: number[] = [];
  const beats = new Beats(clock, 1000, () => sent.push(clock.now() % 1000));
  return { clock, sent, beats };
}

test("beats are sent at whole periods of the wall clock, whenever a server has started", () => {
  for (const ahead of [0, 1, 400, 999]) {
    const { clock, sent } = setUp(ahead);
    clock.advance(3000);
    expect(sent).toEqual([0, 0, 0]);
  }
});

test("hellos that arrive together are answered by one beat, and further ones a moment later", () => {
  const { clock, sent, beats } = setUp(100);
  for (let hello = 0; hello < 5; hello += 1) beats.reply();
  clock.advance(1);
  expect(sent).toEqual([100]);
  beats.reply();
  clock.advance(48);
  expect(sent).toHaveLength(1);
  clock.advance(2);
  expect(sent).toEqual([100, 150]);
});

test("no beat is sent after the end", () => {
  const { clock, sent, beats } = setUp(100);
  beats.reply();
  beats.stop();
  clock.advance(5000);
  expect(sent).toEqual([]);
});
