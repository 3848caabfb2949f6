import { expect, test } from "bun:test";
import { Cell } from "../../../src/usage/live-cells.ts";
import { Group } from "../../../src/usage/usage-groups.ts";
import type { UsageQuery } from "../../../src/usage/usage-query.ts";
import { csvText, jsonText, toLine } from "../../../src/usage/usage-text.ts";

const AT = Date.UTC(2026, 10, 27);
const QUERY: UsageQuery = { from: AT, to: AT + 86_400_000, step: "day", by: ["key", "model", "end_user"] };
const NAMES = new Map([["7f3kq2m9x0ab", 'the "CI", nightly']]);

function groupOf(model: string, query = QUERY, endUser = ""): Group {
  const cell = new Cell(AT, { key: "7f3kq2m9x0ab", model, endUser });
  const amounts = {
    requests: 3,
    failures: 1,
    input: 20,
    cached: 5,
    output: 7,
    audioMs: 1500,
    waitMs: 20,
    heldMs: 1,
    estimated: 9,
  };
  const group = new Group(AT, cell, query);
  group.add(Object.assign(cell, amounts));
  return group;
}

const lineOf = (group: Group) => toLine(group, (key) => NAMES.get(key));

test("JSON names the keys and has the units of the public API", () => {
  const text = [...jsonText(QUERY, ["b"], [lineOf(groupOf("m")), lineOf(groupOf("n", QUERY, "u"))])].join("");
  const row = {
    at: "2026-11-27T00:00:00.000Z",
    key: "7f3kq2m9x0ab",
    key_name: 'the "CI", nightly',
    model: "m",
    end_user: null,
    requests: 3,
    failures: 1,
    input_tokens: 20,
    cached_tokens: 5,
    output_tokens: 7,
    audio_seconds: 1.5,
    wait_seconds: 0.02,
    held_seconds: 0.001,
    estimated: 9,
  };
  expect(JSON.parse(text)).toEqual({
    from: "2026-11-27T00:00:00.000Z",
    to: "2026-11-28T00:00:00.000Z",
    step: "day",
    missing_servers: ["b"],
    rows: [row, { ...row, model: "n", end_user: "u" }],
  });
  expect(JSON.parse([...jsonText(QUERY, [], [])].join(""))).toMatchObject({ rows: [] });
});

test("what a question does not group by is absent, and a key without a name goes by its id", () => {
  const line = toLine(groupOf("m", { ...QUERY, by: ["key"] }), () => undefined);
  expect(line).toMatchObject({ key: "7f3kq2m9x0ab", key_name: "7f3kq2m9x0ab" });
  expect(line).not.toHaveProperty("model");
  expect(line).not.toHaveProperty("end_user");
});

test("CSV has a line of names, and quotes what needs it", () => {
  const query: UsageQuery = { ...QUERY, by: ["key", "model"] };
  expect([...csvText(query, [lineOf(groupOf("m", query))])].join("")).toBe(
    "at,key,key_name,model,requests,failures,input_tokens,cached_tokens,output_tokens,audio_seconds,wait_seconds,held_seconds,estimated\r\n" +
      '2026-11-27T00:00:00.000Z,7f3kq2m9x0ab,"the ""CI"", nightly",m,3,1,20,5,7,1.5,0.02,0.001,9\r\n',
  );
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(A1)"])(
  "CSV makes %j a text that no spreadsheet runs",
  (model) => {
    const query: UsageQuery = { ...QUERY, by: ["model"] };
    const [, line] = [...csvText(query, [lineOf(groupOf(model, query))])];
    const field = line?.split(",")[1] ?? "";
    expect(field.replace(/^"/, "")).toStartWith("'");
  },
);
