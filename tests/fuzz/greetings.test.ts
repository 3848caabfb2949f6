import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseJson } from "../../src/json/parse.ts";
import { createModelGreeting } from "../../src/models/greeting.ts";
import { createRelayGreeting } from "../../src/plugins/mcp/greeting.ts";
import type { Hello } from "../../src/tunnel/greeting.ts";
import type { Parsed } from "../../src/wire/fields.ts";
import { isExchangeKind, isId } from "../../src/wire/names.ts";
import { parseServerMessage } from "../../src/wire/server-messages.ts";
import { parseControl } from "../../src/wire/worker-messages.ts";
import { parseModelList } from "../../src/worker/model-list.ts";
import { expectCleanPrototype, hostileJsonText, hostileText, mutatedText, nearly } from "../support/hostile.ts";
import { legacyLimits } from "../support/legacy-limits.ts";
import { times } from "../support/times.ts";

// First and later messages of a worker are accepted with bounded, clean fields, or refused.

const SECRET = "kept-to-itself-5b1c";
const models = createModelGreeting(legacyLimits(1000));
const DIALECTS = ["native", "legacy"] as const;

/** True for text without lone surrogates and without characters that move, hide or break text. */
function expectClean(text: string | undefined, maxChars: number): void {
  if (text === undefined) return;
  expect(text.length).toBeLessThanOrEqual(maxChars);
  expect(text.isWellFormed()).toBe(true);
  expect(text).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
}

function expectCount(value: number | undefined, max: number): void {
  if (value === undefined) return;
  expect(Number.isInteger(value)).toBe(true);
  expect(value).toBeWithin(0, max + 1);
}

function expectRefusal(reason: string): void {
  expect(reason).not.toBe("");
  // It is for people: no pattern, and no words of the validator.
  expect(reason).not.toMatch(/\^|\b(?:Array|Object|Expected|received|Invalid)\b/);
  // The reason must fit in a close frame.
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  expect(reason).not.toContain(SECRET);
}

function expectModels(ids: readonly string[]): void {
  expect(ids.length).toBeLessThanOrEqual(2048);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect(id).not.toBe("");
    expectClean(id, 512);
  }
}

function expectFacts(facts: Readonly<Record<string, string>>): void {
  expect(Object.getPrototypeOf(facts)).toBe(Object.prototype);
  expect(Object.keys(facts).length).toBeLessThanOrEqual(32);
  for (const [name, fact] of Object.entries(facts)) {
    expect(name).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
    expectClean(fact, 512);
  }
}

function holdHello(parsed: Parsed<Hello>, maxConcurrency: number): void {
  if (!parsed.ok) return expectRefusal(parsed.close.reason);
  const { workerId, name, version, hostInfo, offer, clientKey } = parsed.value;
  if (workerId !== undefined) expect(isId(workerId)).toBe(true);
  expectClean(name, 512);
  expectClean(version, 512);
  expect(clientKey?.length ?? 0).toBeLessThanOrEqual(4096);
  expectFacts(hostInfo);
  expectModels(offer.models);
  expectCount(offer.maxConcurrency, maxConcurrency);
  expectCount(offer.embeddingBatchSize, 2048);
  expect(offer.exchangeKinds?.length ?? 0).toBeLessThanOrEqual(16);
  for (const kind of offer.exchangeKinds ?? []) expect(isExchangeKind(kind)).toBe(true);
}

const REGISTER = {
  type: "register",
  client_key: SECRET,
  worker_id: "w",
  worker_name: "a worker",
  models: ["m", "n/o:p", "m"],
  max_concurrency: 2,
  embedding_batch_size: 16,
  exchange_kinds: ["http", "made_up"],
  version: "1",
  build_sha: "abc",
  agent_config: { os: "linux", embedding_batch_size: "8", worker_version: "2", __proto__: null },
};
const HELLO = {
  id: "relay",
  client_name: "a relay",
  client_key: SECRET,
  exchange_kinds: ["http"],
  info: { version: "1", upstream: "http", auth: "none" },
};
const STATUS = {
  type: "status_update",
  max_concurrency: 2,
  models: ["m"],
  status: "idle",
  reason: "so",
  embedding_batch_size: 4,
  agent_config: { os: "linux" },
};
const HEARTBEAT = { type: "heartbeat", ts: 1, host_cpu_percent: 5, host_ram_used_percent: 50 };
const UPDATE = { type: "models_update", models: ["a", "b"] };
const REGISTERED = {
  type: "registered",
  worker_id: "w",
  session_id: "s",
  window: 1000,
  max_frame: 2 ** 20,
  ping_interval_ms: 5000,
};
const DRAIN = { type: "drain", reason: "restart", retry_after_ms: 1000 };

/** Text like these messages: fields left out or hostile, the text itself changed, or any JSON and no JSON at all. */
function like(...right: readonly Readonly<Record<string, unknown>>[]): fc.Arbitrary<string> {
  return fc.oneof(
    ...right.map((each) => nearly(each).map((value) => JSON.stringify(value))),
    ...right.map((each) => mutatedText(JSON.stringify(each))),
    hostileJsonText,
  );
}

describe("with any first message,", () => {
  test("a worker is accepted with clean and bounded fields, or refused without repeating a value", () => {
    fc.assert(
      fc.property(like(REGISTER), (text) => {
        for (const dialect of DIALECTS) holdHello(models.parse(text, dialect), 100_000);
        expectCleanPrototype();
      }),
      { numRuns: times(4000) },
    );
  });

  test("a relay is accepted with clean and bounded fields, or refused without repeating a value", () => {
    fc.assert(
      fc.property(like(HELLO), (text) => {
        for (const dialect of DIALECTS)
          holdHello(createRelayGreeting({ isReady: true }).parse(text, dialect), Number.MAX_SAFE_INTEGER);
        expectCleanPrototype();
      }),
      { numRuns: times(4000) },
    );
  });

  test("a worker whose message is valid is accepted", () => {
    for (const dialect of DIALECTS) {
      expect(models.parse(JSON.stringify(REGISTER), dialect).ok).toBe(true);
      expect(createRelayGreeting({ isReady: true }).parse(JSON.stringify(HELLO), dialect).ok).toBe(true);
    }
  });

  test("a legacy agent is accepted with any id, under one that the id rule allows", () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.string({ unit: "binary", maxLength: 300 })), (id) => {
        const worker = models.parse(JSON.stringify({ ...REGISTER, worker_id: id }), "legacy");
        const relay = createRelayGreeting({ isReady: true }).parse(JSON.stringify({ ...HELLO, id }), "legacy");
        for (const parsed of [worker, relay]) {
          expect(parsed.ok).toBe(true);
          if (parsed.ok && id !== "") expect(isId(parsed.value.workerId ?? "")).toBe(true);
        }
      }),
      { numRuns: times(2000) },
    );
  });
});

test("whatever models a backend lists, the server accepts those that the worker offers", () => {
  const name = fc.oneof(hostileText, fc.string({ unit: "binary", minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 4 }), (ids) => {
      const offered = parseModelList({ data: ids.map((id) => ({ id })) })?.models;
      expect(models.parse(JSON.stringify({ type: "register", models: offered }), "native")).toMatchObject({ ok: true });
    }),
    { numRuns: times(1000) },
  );
});

test("any later message has clean and bounded fields, is unknown, or is refused", () => {
  let known = 0;
  fc.assert(
    fc.property(like(STATUS, HEARTBEAT, UPDATE), (text) => {
      const said = parseControl(parseJson(text));
      expectCleanPrototype();
      if (said.type === "unknown") return;
      if (said.type === "bad") return expectRefusal(said.reason);
      known += 1;
      if (said.type === "heartbeat") {
        for (const percent of [said.host_cpu_percent, said.host_ram_used_percent])
          if (percent !== null && percent !== undefined) expect(percent >= 0 && percent <= 100).toBe(true);
        return;
      }
      expectModels(said.models ?? []);
      if (said.type === "models_update") return;
      expectCount(said.max_concurrency ?? undefined, 100_000);
      expectCount(said.embedding_batch_size ?? undefined, 2048);
      expectClean(said.reason ?? undefined, 512);
      expectFacts(said.agent_config ?? {});
    }),
    { numRuns: times(4000) },
  );
  expect(known).toBeGreaterThan(100);
});

test("a worker accepts usable numbers from any server, or refuses its message", () => {
  fc.assert(
    fc.property(like(REGISTERED, DRAIN), (text) => {
      const said = parseServerMessage(text);
      if (said.type === "bad") expectRefusal(said.reason);
      if (said.type === "drain") {
        expect(said.reason.length).toBeLessThanOrEqual(512);
        expect(said.retry_after_ms).toBeWithin(0, 600_001);
      }
      if (said.type === "registered") {
        expect(isId(said.worker_id)).toBe(true);
        expect(said.window > 0 && Number.isInteger(said.window)).toBe(true);
        expect(said.ping_interval_ms).toBeWithin(1, 3_600_001);
      }
      expectCleanPrototype();
    }),
    { numRuns: times(2000) },
  );
});
