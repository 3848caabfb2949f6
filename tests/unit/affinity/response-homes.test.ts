import { describe, expect, test } from "bun:test";
import { ResponseHomes, responseIdIn } from "../../../src/affinity/response-homes.ts";

describe("the id of a response", () => {
  const created = { id: "resp_1", object: "response", instructions: "x".repeat(9000) };

  test("is found in a response, wherever its members stand", () => {
    expect(responseIdIn(JSON.stringify(created).slice(0, 4096))).toBe("resp_1");
    expect(responseIdIn(JSON.stringify({ created_at: 1, metadata: { id: "no" }, id: "resp_2", output: [] }))).toBe(
      "resp_2",
    );
    expect(responseIdIn(JSON.stringify({ id: "resp_3" }, undefined, 2))).toBe("resp_3");
  });

  test("is found in the first events of a stream, however long they are", () => {
    const event = `event: response.created\ndata: ${JSON.stringify({ type: "response.created", response: created })}\n\n`;
    expect(responseIdIn(event.slice(0, 4096))).toBe("resp_1");
    expect(responseIdIn(`: queued position=2\n\n${event}`.slice(0, 4096))).toBe("resp_1");
  });

  test("is missing in errors, in pieces and in nonsense", () => {
    for (const text of [
      "",
      "{",
      '{"error":{"id":"e"}}',
      '{"id":7}',
      '{"id":""}',
      '{"id":"resp',
      "data: [DONE]",
      "data: {}",
    ])
      expect(responseIdIn(text)).toBeUndefined();
    expect(responseIdIn(JSON.stringify({ id: "x".repeat(300) }))).toBeUndefined();
  });
});

describe("the homes of responses", () => {
  test("a response is found by its id and its tenant's seed only", () => {
    const homes = new ResponseHomes();
    homes.learn("resp_1", 1n, "w1");
    expect(homes.find("resp_1", 1n)).toBe("w1");
    expect(homes.find("resp_1", 2n)).toBeUndefined();
    expect(homes.find("resp_2", 1n)).toBeUndefined();
  });

  test("20,000 responses are remembered, and ids that are too long never", () => {
    const homes = new ResponseHomes();
    for (let at = 0; at < 20_005; at += 1) homes.learn(`resp_${at}`, 1n, "w1");
    homes.learn("x".repeat(300), 1n, "w1");
    expect(homes.size).toBe(20_000);
    expect(homes.find("resp_4", 1n)).toBeUndefined();
    expect(homes.find("resp_5", 1n)).toBe("w1");
  });
});
