import { expect, test } from "bun:test";
import { Fault } from "../../../src/errors.ts";
import { queryOf } from "../../../src/http/query.ts";
import { parseUsageQuery } from "../../../src/usage/usage-parameters.ts";

const NOW = Date.UTC(2026, 10, 27, 12, 30, 15);
const parse = (text: string) => parseUsageQuery(queryOf({ url: `http://x/?${text}` }), NOW);
const at = (...parts: Parameters<typeof Date.UTC>): number => Date.UTC(...parts);

test("a question that names nothing is about the last day, by hour, key and model", () => {
  expect(parse("")).toEqual({
    from: at(2026, 10, 26, 12),
    to: NOW,
    step: "hour",
    by: ["key", "model"],
    key: undefined,
    model: undefined,
    endUser: undefined,
  });
});

test.each([
  ["from=2026-11-27T10:00Z", "minute", at(2026, 10, 27, 10)],
  ["from=2026-11-25", "hour", at(2026, 10, 25)],
  ["from=2026-11-01", "day", at(2026, 10, 1)],
  ["from=2026-11-20&to=2026-11-20T03:00:00Z", "hour", at(2026, 10, 20)],
  ["from=2026-01-20&to=2026-01-21", "day", at(2026, 0, 20)],
  ["step=minute", "minute", at(2026, 10, 27, 11, 30)],
  ["step=day", "day", at(2026, 9, 28)],
  ["from=2026-11-27T12:15:44.5%2B01:00&step=minute", "minute", at(2026, 10, 27, 11, 15)],
  ["from=2026-11-27T12:15:44+01:00&step=minute", "minute", at(2026, 10, 27, 11, 15)],
])("%s gives the step %s from the beginning of its period", (text, step, from) => {
  expect(parse(text)).toMatchObject({ step, from });
});

test("it is grouped by what is asked for, in one order", () => {
  expect(parse("by=model,%20key").by).toEqual(["key", "model"]);
  expect(parse("by=end_user").by).toEqual(["end_user"]);
  expect(parse("key=a&model=m&end_user=u")).toMatchObject({ key: "a", model: "m", endUser: "u" });
});

test.each([
  ["by=worker", "by"],
  ["by=key,key,day", "by"],
  ["step=week", "step"],
  ["from=yesterday", "from"],
  ["from=2026-11-31T99:00Z", "from"],
  ["from=2026-02-31", "from"],
  ["from=2026-02-01&to=2026-02-30T08:00:00%2B01:00", "to"],
  ["from=12", "from"],
  ["from=2026-11-28", "from"],
  ["to=1969-01-01", "to"],
  ["from=2020-01-01&step=minute", "step"],
])("%s is refused and named", (text, param) => {
  let fault: unknown;
  try {
    parse(text);
  } catch (error) {
    fault = error;
  }
  expect(fault).toBeInstanceOf(Fault);
  expect(fault).toMatchObject({ code: "invalid_request", param });
});
