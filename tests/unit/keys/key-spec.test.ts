import { describe, expect, test } from "bun:test";
import type { KeyKind } from "../../../src/keys/key-entry.ts";
import { readKeyPatch, readKeySpec } from "../../../src/keys/key-spec.ts";
import { specFault } from "../../../src/keys/spec-faults.ts";

describe("a request for a key", () => {
  test("needs a name alone, and is then for a client", () => {
    expect(readKeySpec({ name: " CI " })).toEqual({
      ok: true,
      value: { kind: "client", terms: { name: "CI", limits: {} } },
    });
  });

  test("may state everything that a client's key has", () => {
    const read = readKeySpec({
      name: "CI",
      kind: "client",
      tenant: "research",
      models: ["qwen*", "qwen*", "llama3:8b"],
      limits: {
        parallel: 4,
        max_waiting: 0,
        requests_per_minute: 60,
        tokens_per_minute: "20k",
        tokens_per_day: "2M",
        tokens_per_week: 10_000_000,
        tokens_per_month: "1.5G",
        audio_seconds_per_day: 60,
        audio_seconds_per_week: 600,
        audio_seconds_per_month: 6000,
        timezone: "Europe/Berlin",
        on_limit: "refuse",
      },
      weight: 0.5,
      class: "background",
      user_header: "X-OpenWebUI-User-Id",
      prefer: "own",
      expires_at: "2027-01-31T12:00:00+01:00",
    });
    expect(read).toEqual({
      ok: true,
      value: {
        kind: "client",
        terms: {
          name: "CI",
          tenant: "research",
          models: ["qwen*", "llama3:8b"],
          limits: {
            parallel: 4,
            maxWaiting: 0,
            requestsPerMinute: 60,
            tokensPerMinute: 20_000,
            tokensPerDay: 2_000_000,
            tokensPerWeek: 10_000_000,
            tokensPerMonth: 1_500_000_000,
            audioSecondsPerDay: 60,
            audioSecondsPerWeek: 600,
            audioSecondsPerMonth: 6000,
            timezone: "Europe/Berlin",
            onLimit: "refuse",
          },
          weight: 0.5,
          class: "background",
          userHeader: "x-openwebui-user-id",
          prefer: "own",
          expiresAt: Date.UTC(2027, 0, 31, 11),
        },
      },
    });
  });

  test("has its name and tenant in one form, however its accents are written", () => {
    const [one, two] = ["Z\u00fcrich", "Zu\u0308rich"].map((name) => readKeySpec({ name, tenant: name }));
    expect(one).toEqual(two);
    expect(one).toMatchObject({ value: { terms: { name: "Z\u00fcrich", tenant: "Z\u00fcrich" } } });
  });

  test("for a worker states tenants and slots, and for a join token also how often it may be used", () => {
    const worker = { name: "gpu", models: ["llama*"], tenants: ["research"], max_slots: 8 };
    const terms = { name: "gpu", models: ["llama*"], tenants: ["research"], maxSlots: 8, limits: {} };
    expect(readKeySpec({ ...worker, kind: "worker" })).toEqual({ ok: true, value: { kind: "worker", terms } });
    expect(readKeySpec({ ...worker, kind: "join", max_uses: 1 })).toEqual({
      ok: true,
      value: { kind: "join", terms: { ...terms, maxUses: 1 } },
    });
  });

  const wrong: readonly (readonly [request: unknown, param: string | undefined, says: string])[] = [
    [null, undefined, "The key must be an object."],
    ["CI", undefined, "The key must be an object."],
    [{}, "name", "'name' is missing."],
    [{ name: "" }, "name", "'name' must be text of 1 to 128 characters in one line."],
    [{ name: "a\nb" }, "name", "'name' must be text of 1 to 128 characters in one line."],
    [{ name: "a".repeat(129) }, "name", "'name' must be text of 1 to 128 characters in one line."],
    [{ name: "a", kind: "root" }, "kind", "'kind' must be client, worker, admin or join."],
    [{ name: "a", modles: [] }, "modles", "'modles' is not a field of a key; did you mean 'models'?"],
    [{ name: "a", secret: "hunter2" }, "secret", "'secret' is not a field of a key."],
    [
      { name: "a", limits: { tokens_per_dya: 1 } },
      "limits.tokens_per_dya",
      "'limits.tokens_per_dya' is not a field of a key; did you mean 'tokens_per_day'?",
    ],
    [{ name: "a", models: "qwen*" }, "models", "'models' must be a list of model names."],
    [{ name: "a", models: new Array(101).fill("a") }, "models", "'models' must be at most 100 names."],
    [
      { name: "a", limits: { parallel: 0 } },
      "limits.parallel",
      "'limits.parallel' must be a whole number from 1 to 100000, or such a number with k, M or G.",
    ],
    [
      { name: "a", limits: { parallel: "2X" } },
      "limits.parallel",
      "'limits.parallel' must be a whole number from 1 to 100000, or such a number with k, M or G.",
    ],
    [
      { name: "a", limits: { timezone: "Mars/Olympus" } },
      "limits.timezone",
      "'limits.timezone' must be the name of a time zone, such as Europe/Berlin.",
    ],
    ...["Authorization", "Proxy-Authorization", "X-API-Key", "cookie"].map(
      (name) =>
        [
          { name: "a", user_header: name },
          "user_header",
          "'user_header' must be a header that names a person, such as X-OpenWebUI-User-Id. This one carries a key or a sign-in.",
        ] as const,
    ),
    [{ name: "a", weight: 0 }, "weight", "'weight' must be a number from 0.01 to 100."],
    [{ name: "a", weight: Number.NaN }, "weight", "'weight' must be a number from 0.01 to 100."],
    [
      { name: "a", expires_at: "2027-02-31T00:00:00Z" },
      "expires_at",
      "'expires_at' must be a time in RFC 3339, such as 2027-01-31T00:00:00Z.",
    ],
    [
      { name: "a", expires_at: "2027-01-31T00:00:00" },
      "expires_at",
      "'expires_at' must be a time in RFC 3339, such as 2027-01-31T00:00:00Z.",
    ],
    [
      { name: "a", kind: "admin", models: ["x"] },
      "models",
      "'models' does not apply to an admin's key, only to a client's key or a worker's key or a join token.",
    ],
    [
      { name: "a", max_slots: 1 },
      "max_slots",
      "'max_slots' does not apply to a client's key, only to a worker's key or a join token.",
    ],
  ];
  test.each(wrong)("that is %j is refused", (request, param, says) => {
    expect(readKeySpec(request)).toEqual({ ok: false, param, message: says });
  });

  test("that is refused repeats no value and no control characters", () => {
    const read = readKeySpec({ name: "a", "\u001b[31m": "hunter2", weight: "hunter2" });
    expect(JSON.stringify(read)).not.toMatch(/hunter2|\\u001b/);
  });
});

describe("a change of a key", () => {
  const patch = (value: unknown, kind: KeyKind = "client") => readKeyPatch(value, kind);

  test("contains what was given, and takes away what was null", () => {
    expect(patch({ name: "b", tenant: null, weight: 2, limits: { parallel: 1, tokens_per_day: null } })).toStrictEqual({
      ok: true,
      value: {
        terms: { name: "b", tenant: undefined, weight: 2 },
        limits: { parallel: 1, tokensPerDay: undefined },
      },
    });
  });

  test("with null for all limits takes each of them away", () => {
    const read = patch({ limits: null });
    const limits: Readonly<Record<string, unknown>> = read.ok ? { ...read.value.limits } : {};
    expect(Object.keys(limits)).toHaveLength(12);
    expect(Object.values(limits).every((value) => value === undefined)).toBe(true);
  });

  test("cannot change the kind or take the name away", () => {
    expect(patch({ kind: "admin" })).toMatchObject({
      ok: false,
      message: "'kind' cannot be changed. Create another key instead.",
    });
    expect(patch({ name: null })).toMatchObject({ ok: false, param: "name" });
    expect(patch({ limits: {} }, "worker")).toMatchObject({ ok: false, param: "limits" });
  });
});

test("the error for a request is invalid_request with the field", () => {
  const fault = specFault({ param: "weight", message: "'weight' must be a number." });
  expect(fault.body().error).toMatchObject({
    code: "invalid_request",
    param: "weight",
    message: "'weight' must be a number.",
  });
});
