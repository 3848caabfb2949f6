import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseJson } from "../../../src/json/parse.ts";
import { CLOSES, closeWith } from "../../../src/wire/closes.ts";
import { ID_FORM } from "../../../src/wire/names.ts";
import {
  batchSizeOf,
  controlSchema,
  mergeHostInfo,
  parseControl,
  parseRegister,
  registerSchema,
} from "../../../src/wire/worker-messages.ts";
import { times } from "../../support/times.ts";

/** Longest close reason of RFC 6455 §5.5. */
const REASON_BYTES = 123;

const register = (fields: object): ReturnType<typeof parseRegister> => parseRegister({ type: "register", ...fields });

/** The registration's value, or a failed test. */
function accepted(fields: object) {
  const parsed = register(fields);
  if (!parsed.ok) throw new Error(parsed.close.reason);
  return parsed.value;
}

describe("a register message", () => {
  test("needs nothing but its type", () => {
    expect(accepted({})).toEqual({ type: "register" });
  });

  test("may have null for unknown fields, as Go programs send", () => {
    const nothing = { client_key: null, worker_id: null, worker_name: null, models: null, max_concurrency: null };
    expect(register({ ...nothing, embedding_batch_size: null, version: null, agent_config: null }).ok).toBe(true);
  });

  test("with every field keeps all of them, and drops unknown ones", () => {
    const fields = {
      client_key: "k",
      worker_id: "w-1",
      worker_name: "my box",
      models: ["a:7b", "org/b"],
      loaded: ["org/b"],
      max_concurrency: 3,
      embedding_batch_size: 16,
      exchange_kinds: ["http", "made_up"],
      version: "1.0",
      build_sha: "abc",
      build_date: "today",
      agent_config: { hostname: "h", os_name: "linux" },
    };
    expect(accepted({ ...fields, unknown: "x" })).toEqual({ type: "register", ...fields });
  });

  test("that joins names no empty id, to which a key could be bound", () => {
    const wrong = closeWith("invalid_register", `join_ids.0 must be ${ID_FORM}`);
    expect(register({ join_token: "mj_t", join_ids: [""] })).toEqual({ ok: false, close: wrong });
    expect(accepted({ join_token: "mj_t", join_ids: ["gpu"] })).toMatchObject({ join_ids: ["gpu"] });
  });

  test.each([
    ["no JSON", "hello"],
    ["nothing", ""],
    ["an array", "[]"],
    ["null", "null"],
    ["no type", "{}"],
    ["another type", '{"type":"heartbeat"}'],
    ["a type in another case", '{"type":"Register"}'],
  ])("that is %s is refused as expected register", (_name, text) => {
    expect(parseRegister(parseJson(text))).toEqual({ ok: false, close: CLOSES.expected_register });
  });

  test.each([
    ["client_key", 5],
    ["client_key", "k".repeat(4097)],
    ["worker_name", {}],
    ["worker_name", "n".repeat(513)],
    ["models", "a"],
    ["models", { 0: "a" }],
    ["models", [1]],
    ["models", [null]],
    ["models", [""]],
    ["models", ["m".repeat(513)]],
    ["models", ["ok", "bad\u0000"]],
    ["models", ["bad\nline"]],
    ["models", ["bad\u0085line"]],
    ["models", ["evil\u202egnp"]],
    ["models", ["evil\u200fmark"]],
    ["models", Array.from({ length: 2049 }, (_, at) => `m${at}`)],
    ["loaded", "a"],
    ["loaded", [""]],
    ["loaded", Array.from({ length: 2049 }, (_, at) => `m${at}`)],
    ["max_concurrency", -1],
    ["max_concurrency", 1.5],
    ["max_concurrency", "2"],
    ["max_concurrency", 100_001],
    ["embedding_batch_size", -1],
    ["embedding_batch_size", 2049],
    ["embedding_batch_size", "64"],
    ["exchange_kinds", "http"],
    ["exchange_kinds", [1]],
    ["exchange_kinds", [""]],
    ["exchange_kinds", ["Http"]],
    ["exchange_kinds", ["2d"]],
    ["exchange_kinds", ["a b"]],
    ["exchange_kinds", ["k".repeat(33)]],
    ["exchange_kinds", Array.from({ length: 17 }, (_, at) => `k${at}`)],
    ["version", 1],
    ["version", "v".repeat(513)],
    ["build_sha", []],
    ["build_date", 20261123],
    ["agent_config", "x"],
  ])("with a wrong %s is refused with the field's name (%#)", (field, value) => {
    const parsed = register({ [field]: value });
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.close.reason).toStartWith(`invalid register: ${field}`);
    expect(Buffer.byteLength(parsed.close.reason)).toBeLessThanOrEqual(REASON_BYTES);
  });

  test.each([5, {}, "has space", "has/slash", "<script>", "naïve", "line\n", "w".repeat(129)])(
    "with the id %j is refused with the rule for ids",
    (worker_id) => {
      const parsed = register({ worker_id });
      expect(parsed).toEqual({ ok: false, close: closeWith("invalid_id", `it must be ${ID_FORM}`) });
      if (!parsed.ok) expect(Buffer.byteLength(parsed.close.reason)).toBeLessThanOrEqual(REASON_BYTES);
    },
  );

  test.each([
    ["models", ["ok", ""], "models.1 must be a model id of 1 to 512 characters without control characters"],
    ["max_concurrency", 1.5, "max_concurrency must be a whole number from 0 to 100000"],
    ["worker_name", 5, "worker_name must be text of at most 512 characters"],
    ["agent_config", "x", "agent_config must be an object"],
  ])("with a wrong %s is refused with a sentence about the field", (field, value, why) => {
    expect(register({ [field]: value })).toEqual({ ok: false, close: closeWith("invalid_register", why) });
  });

  test.each([
    ["client_key", "S3CRET".repeat(1000)],
    ["worker_id", "S3CRET S3CRET"],
    ["worker_name", "S3CRET".repeat(100)],
    ["models", ["S3CRET\n"]],
    ["max_concurrency", "S3CRET"],
  ])("is refused without repeating the %s it had", (field, value) => {
    const parsed = register({ [field]: value });
    expect(parsed.ok === false && parsed.close.reason).not.toContain("S3CRET");
  });

  test("at its limits is accepted", () => {
    const models = Array.from({ length: 2048 }, (_, at) => `m${at}`);
    const parsed = accepted({
      worker_id: "w".repeat(128),
      worker_name: "n".repeat(512),
      models: [...models.slice(1), "m".repeat(512)],
      max_concurrency: 100_000,
      embedding_batch_size: 2048,
    });
    expect(parsed.models?.length).toBe(2048);
  });

  test("that names a model twice offers it once, in the order of first naming", () => {
    expect(accepted({ models: ["b", "a", "b", "a", "c"] }).models).toEqual(["b", "a", "c"]);
  });

  test("may use any script in names and models", () => {
    const named = accepted({ worker_name: "工作站 – Büro 👩‍🔬", models: ["模型:7b"] });
    expect(named).toMatchObject({ worker_name: "工作站 – Büro 👩‍🔬", models: ["模型:7b"] });
  });

  test("loses control characters, line breaks and direction marks in text for people", () => {
    const hostile = "a\u0000b\nc\rd\u001b[31me\u007ff\u0085g\u202eh\u2066i\u200ej\u200fk\u061cl\u2028m\u2029n";
    const parsed = accepted({ worker_name: hostile, version: hostile, agent_config: { hostname: hostile } });
    const clean = "abcd[31mefghijklmn";
    expect(parsed).toMatchObject({ worker_name: clean, version: clean, agent_config: { hostname: clean } });
  });

  test("loses every character that moves, hides or breaks text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (name) => {
        const shown = accepted({ worker_name: name }).worker_name;
        expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  test("has no lone surrogates in text for people, and offers no model whose name has one", () => {
    const name = `a\ud800b${"x".repeat(507)}😀`;
    const parsed = accepted({ worker_name: name, agent_config: { hostname: `${"x".repeat(511)}😀` } });
    expect(parsed.worker_name).toBe(`a\ufffdb${"x".repeat(507)}😀`);
    expect(parsed.agent_config).toEqual({ hostname: `${"x".repeat(511)}\ufffd` });
    for (const half of ["\ud800", "\udc00", "m\udbff"]) expect(register({ models: [half] }).ok).toBe(false);
    expect(register({ models: ["😀"] }).ok).toBe(true);
  });

  test("offers a model exactly if its name has no such character", () => {
    const codes = [
      ...Array(0x100).keys(),
      0x61b,
      0x61c,
      0x61d,
      ...Array.from({ length: 0x80 }, (_, at) => 0x2000 + at),
    ];
    for (const code of codes) {
      const char = String.fromCharCode(code);
      expect(register({ models: [char] }).ok).toBe(!/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(char));
    }
  });

  test("whose agent_config holds the strings that legacy agents send keeps them", () => {
    const agent_config = {
      embedding_batch_size: "32",
      hostname: "box",
      os_name: "linux",
      os_version: "12",
      worker_version: "0.9.6",
      backend_version: "0.5",
      backend_family: "ollama",
    };
    const parsed = accepted({ agent_config });
    expect(parsed.agent_config).toEqual(agent_config);
    expect(batchSizeOf(parsed)).toBe(32);
  });

  test("keeps at most 32 facts about the host, as bounded text under valid names", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`fact_${at}`, "x"]));
    expect(Object.keys(accepted({ agent_config: many }).agent_config ?? {}).length).toBe(32);
    const odd = { "Bad-Key": "x", "": "x", number: 5, object: {}, ["k".repeat(65)]: "x", long: "y".repeat(1000) };
    expect(accepted({ agent_config: odd }).agent_config).toEqual({ long: "y".repeat(512) });
  });

  test("cannot change an object's prototype", () => {
    const text = '{"type":"register","__proto__":{"worker_id":"x"},"agent_config":{"__proto__":"x","constructor":"y"}}';
    const parsed = parseRegister(parseJson(text));
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed.ok && parsed.value.worker_id).toBeUndefined();
    expect(parsed.ok && Object.getPrototypeOf(parsed.value.agent_config)).toBe(Object.prototype);
  });

  test("of any JSON is accepted or refused with a short reason, and never throws", () => {
    const fields = fc.constantFrom(
      "client_key",
      "worker_id",
      "worker_name",
      "models",
      "max_concurrency",
      "agent_config",
    );
    fc.assert(
      fc.property(fc.dictionary(fields, fc.jsonValue()), (json) => {
        const parsed = register(json);
        if (!parsed.ok) expect(Buffer.byteLength(parsed.close.reason)).toBeLessThanOrEqual(REASON_BYTES);
      }),
      { numRuns: times(2000) },
    );
  });
});

describe("a control message", () => {
  test.each([
    ["a heartbeat", { type: "heartbeat" }],
    ["a heartbeat with a load", { type: "heartbeat", host_cpu_percent: 0, host_ram_used_percent: 100 }],
    ["a status_update of one field", { type: "status_update", max_concurrency: 0 }],
    [
      "a status_update of everything",
      { type: "status_update", max_concurrency: 1, models: ["a"], loaded: [], status: "idle", reason: "x" },
    ],
    ["a models_update", { type: "models_update", models: [] }],
    [
      "a models_update with all that a worker may say of a model",
      {
        type: "models_update",
        models: ["m"],
        loaded: ["m"],
        model_info: [
          {
            id: "m",
            sent_as: "n",
            type: "chat",
            context_length: 4096,
            max_context_length: 8192,
            input_modalities: ["text"],
            output_modalities: ["text"],
            status: "loaded",
          },
        ],
      },
    ],
  ])("that is %s is accepted unchanged", (_name, message) => {
    expect(parseControl(message)).toEqual(message as ReturnType<typeof parseControl>);
  });

  test.each(["pong", "", "constructor", "__proto__", "toString", "Heartbeat"])(
    "of type %p is unknown, not bad",
    (type) => {
      expect(parseControl({ type, models: 5 })).toEqual({ type: "unknown" });
    },
  );

  test.each([[undefined], [null], [5], ["x"], [[]], [{}], [{ type: 5 }], [{ type: null }]])(
    "that is %j has no type and is bad",
    (message) => {
      expect(parseControl(message)).toEqual({ type: "bad", reason: "a message without a type" });
    },
  );

  test.each([
    [{ type: "heartbeat", host_cpu_percent: "5" }, "host_cpu_percent"],
    [{ type: "heartbeat", host_cpu_percent: 101 }, "host_cpu_percent"],
    [{ type: "heartbeat", host_ram_used_percent: -1 }, "host_ram_used_percent"],
    [{ type: "status_update", max_concurrency: -1 }, "max_concurrency"],
    [{ type: "status_update", status: "asleep" }, "status"],
    [{ type: "status_update", models: "a" }, "models"],
    [{ type: "status_update", loaded: "a" }, "loaded"],
    [{ type: "status_update", loaded: ["a\nb"] }, "loaded.0"],
    [{ type: "status_update", loaded: Array.from({ length: 2049 }, (_, at) => `m${at}`) }, "loaded"],
    [{ type: "status_update", reason: "r".repeat(513) }, "reason"],
    [{ type: "models_update" }, "models"],
    [{ type: "models_update", models: [{}] }, "models.0"],
    [{ type: "models_update", models: [], model_info: {} }, "model_info"],
    [{ type: "models_update", models: [], model_info: Array(2049).fill({ id: "m" }) }, "model_info"],
    [{ type: "models_update", models: [], model_info: [{ context_length: 5 }] }, "model_info.0.id"],
    [{ type: "models_update", models: [], model_info: [{ id: "m", sent_as: "a\nb" }] }, "model_info.0.sent_as"],
    [
      { type: "models_update", models: [], model_info: [{ id: "m", context_length: -1 }] },
      "model_info.0.context_length",
    ],
    [
      { type: "models_update", models: [], model_info: [{ id: "m", context_length: 1e12 }] },
      "model_info.0.context_length",
    ],
    [{ type: "models_update", models: [], model_info: [{ id: "m", type: "<b>" }] }, "model_info.0.type"],
    [
      { type: "status_update", model_info: [{ id: "m", input_modalities: Array(17).fill("text") }] },
      "model_info.0.input_modalities",
    ],
  ])("with a wrong field is bad and names it (%#)", (message, field) => {
    const parsed = parseControl(message);
    expect(parsed.type === "bad" && parsed.reason).toStartWith(`invalid ${message.type}: ${field} `);
    expect(parsed.type === "bad" && Buffer.byteLength(parsed.reason)).toBeLessThanOrEqual(REASON_BYTES);
  });

  test("that names a model twice offers it once", () => {
    expect(parseControl({ type: "models_update", models: ["a", "a"] })).toEqual({
      type: "models_update",
      models: ["a"],
    });
  });
});

test.each([
  [{}, undefined],
  [{ embedding_batch_size: 0 }, undefined],
  [{ embedding_batch_size: 16, agent_config: { embedding_batch_size: "8" } }, 16],
  [{ agent_config: { embedding_batch_size: "8" } }, 8],
  [{ agent_config: { embedding_batch_size: "99999" } }, 2048],
  [{ agent_config: { embedding_batch_size: "-3" } }, undefined],
  [{ agent_config: { embedding_batch_size: "1.5" } }, undefined],
  [{ agent_config: { embedding_batch_size: "many" } }, undefined],
  [{ agent_config: { embedding_batch_size: "" } }, undefined],
] as const)("the batch size in %j is %p", (message, expected) => {
  expect(batchSizeOf(message)).toBe(expected);
});

test("newer facts of a host replace older ones, up to the limit", () => {
  expect(mergeHostInfo({ a: "1", b: "1" }, { b: "2", c: "2" })).toEqual({ a: "1", b: "2", c: "2" });
});

test("text that is no JSON gives undefined, not an error", () => {
  expect(parseJson("{")).toBeUndefined();
  expect(parseJson("")).toBeUndefined();
  expect(parseJson("null")).toBeNull();
});

describe("docs/protocol.md", () => {
  test.each([registerSchema, ...controlSchema.options].map(({ entries }) => [entries.type.literal, entries] as const))(
    "lists every field of %s",
    async (type, entries) => {
      const page = await Bun.file(new URL("../../../docs/protocol.md", import.meta.url)).text();
      const shown = page.split(`{ "type": "${type}"`)[1]?.split(/}`|\n```/)[0] ?? "";
      const isListed = (field: string): boolean => shown.includes(`"${field}"`);
      expect(Object.keys(entries).filter((field) => field !== "type" && !isListed(field))).toEqual([]);
    },
  );
});
