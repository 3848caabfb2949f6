import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createModelGreeting } from "../../../src/models/greeting.ts";
import { createRelayGreeting } from "../../../src/plugins/mcp/greeting.ts";
import { toLegacyId } from "../../../src/tunnel/legacy-id.ts";
import { isId } from "../../../src/wire/names.ts";
import { legacyLimits } from "../../support/legacy-limits.ts";
import { times } from "../../support/times.ts";

describe("a legacy agent's id", () => {
  test.each([
    ["GPU box 1", "GPU_20box_201"],
    ["team/llm", "team_2Fllm"],
    ["ü-worker", "_C3_BC-worker"],
    ["w#1", "w_231"],
    ["w~1", "w_7E1"],
    ["20251126 101010", "20251126_20101010"],
    ["a_b c", "a_5Fb_20c"],
  ])("%j becomes %s", (said, id) => {
    expect(toLegacyId(said)).toBe(id);
  });

  test.each(["team:llm", "a@b", "host.example.com", "under_score", "w".repeat(128)])("%s stays as it is", (said) => {
    expect(toLegacyId(said)).toBe(said);
  });

  test("that is too long, or a path segment of dots, ends in a digest", () => {
    for (const said of ["w".repeat(129), "w".repeat(100_000), "ü".repeat(40), ".", ".."]) {
      expect(toLegacyId(said)).toMatch(/_[0-9a-f]{16}$/);
      expect(isId(toLegacyId(said))).toBe(true);
    }
  });

  test("is mapped to a valid id, and two ids to two", () => {
    const said = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 200 }),
      fc.constantFrom("a/b", "a_2Fb/"),
    );
    fc.assert(
      fc.property(said, said, (one, other) => {
        const [a, b] = [one.toWellFormed(), other.toWellFormed()];
        expect(isId(toLegacyId(a))).toBe(true);
        if (a !== b && !isId(a) && !isId(b)) expect(toLegacyId(a)).not.toBe(toLegacyId(b));
      }),
      { numRuns: times(2000) },
    );
  });
});

test("a legacy agent without a name uses its original id as its name, and one with a name keeps it", () => {
  const parse = (fields: object) =>
    createModelGreeting(legacyLimits(0)).parse(
      JSON.stringify({ type: "register", worker_id: "GPU box\n1", ...fields }),
      "legacy",
    );
  expect(parse({})).toMatchObject({ ok: true, value: { workerId: "GPU_20box_0A1", name: "GPU box1" } });
  expect(parse({ worker_name: "alpha" })).toMatchObject({ ok: true, value: { name: "alpha" } });
  const relay = createRelayGreeting({ isReady: true }).parse(JSON.stringify({ id: "clock server" }), "legacy");
  expect(relay).toMatchObject({ ok: true, value: { workerId: "clock_20server", name: "clock server" } });
});

test("a native worker with such an id is refused with the rule for ids", () => {
  const native = createModelGreeting(legacyLimits(0)).parse(
    JSON.stringify({ type: "register", worker_id: "GPU box 1" }),
    "native",
  );
  expect(native).toEqual({
    ok: false,
    close: {
      code: 1008,
      reason: "invalid id: it must be 1 to 128 letters, digits and . _ : @ - (but not . or .. alone)",
    },
  });
});
