import { describe, expect, test } from "bun:test";
import { type Order, parseOrder } from "../../../../src/demo/cluster/orders.ts";

const parse = (line: string): Order => parseOrder(line, 3);

describe("a line in the demo of a cluster", () => {
  test.each<[string, Order]>([
    ["kill 2", { kind: "act", act: "kill", target: 2 }],
    ["  STOP   s3 ", { kind: "act", act: "stop", target: 3 }],
    ["restart nats", { kind: "act", act: "restart", target: "nats" }],
    ["roll", { kind: "roll" }],
    ["load 40", { kind: "load", streams: 40 }],
    ["load 0", { kind: "load", streams: 0 }],
    ["status", { kind: "status" }],
    ["quit", { kind: "quit" }],
    ["exit", { kind: "quit" }],
    ["", { kind: "nothing" }],
  ])("%j is understood", (line, order) => expect(parse(line)).toEqual(order));

  test.each(["kill", "kill 4", "kill 0", "kill 1.5", "kill two", "freeze 10"])(
    "%j is refused with the numbers that exist",
    (line) => expect(parse(line)).toMatchObject({ kind: "fault", text: expect.stringContaining("from 1 to 3") }),
  );

  test.each(["load", "load many", "load 501", "load -1"])("%j is refused with the bound", (line) =>
    expect(parse(line)).toMatchObject({ kind: "fault", text: expect.stringContaining("500") }),
  );

  test.each(["explode", "kill 2 now", "roll 2", "constructor 1"])("%j is unknown", (line) =>
    expect(parse(line)).toMatchObject({ kind: "fault", text: expect.stringContaining("help") }),
  );
});
