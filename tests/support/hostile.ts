import fc from "fast-check";

// Generators of hostile input, which is similar enough to valid input to pass the first checks.

const NAMES = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", "length"];

/** Text with characters that are special in lines, terminals, HTML, paths and UTF-8. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "",
    "\0",
    "a\r\nb: c",
    "\u2028",
    "\u202e",
    "\ud800",
    "\udfff\ud800",
    "../../etc/passwd",
    "..",
    ".",
    "%2e%2e%2f",
    "<script>alert(1)</script>",
    "\u001b[2J",
    "x".repeat(5000),
    ...NAMES,
  ),
);

/** Any JSON value, with names that are special in JavaScript and numbers at the limits. */
export const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(null, true, 0, -0, -1, 0.5, 1e308, -1e308, 2 ** 53, 2 ** 31, [], {}, [[[[[[]]]]]]),
  fc.array(hostileText, { maxLength: 3 }),
  fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 })), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 4,
  }),
);

/** A JSON object whose known members are each valid, hostile or missing, with unknown members in addition. */
export function nearly(right: Readonly<Record<string, unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(right).map(([name, value]) =>
    fc
      .oneof(
        { weight: 4, arbitrary: fc.constant<unknown>(value) },
        { weight: 1, arbitrary: hostileJson },
        { weight: 1, arbitrary: fc.constant(undefined) },
      )
      .map((chosen) => [name, chosen] as const),
  );
  const stray = fc.array(fc.tuple(fc.constantFrom(...NAMES, "x"), hostileJson), { maxLength: 1 });
  return fc.tuple(fc.tuple(...fields), stray).map(([known, more]) => {
    // Defined and not assigned, so that a name like `__proto__` becomes an ordinary member.
    const object: Record<string, unknown> = {};
    for (const [name, value] of [...known, ...more]) {
      if (value === undefined) continue;
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
    }
    return object;
  });
}

/** Variants of valid bytes, in which some are changed, removed, doubled or cut off. */
export function mutated(right: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat({ max: Math.max(0, right.length - 1) });
  const change = fc.oneof(
    fc.record({ do: fc.constant("set" as const), at: place, byte: fc.nat({ max: 255 }) }),
    fc.record({ do: fc.constant("cut" as const), at: place, byte: fc.nat({ max: 30 }) }),
    fc.record({ do: fc.constant("double" as const), at: place, byte: fc.nat({ max: 30 }) }),
    fc.record({ do: fc.constant("end" as const), at: place, byte: fc.constant(0) }),
  );
  return fc.array(change, { maxLength: 4 }).map((changes) => {
    let bytes = Buffer.from(right);
    for (const { do: what, at, byte } of changes) {
      if (what === "set" && at < bytes.length) bytes[at] = byte;
      if (what === "cut") bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + byte)]);
      if (what === "double") bytes = Buffer.concat([bytes.subarray(0, at + byte), bytes.subarray(at)]);
      if (what === "end") bytes = bytes.subarray(0, at);
    }
    return bytes;
  });
}

/** Variants of valid text. Incomplete characters become replacement characters, as on a socket. */
export function mutatedText(right: string): fc.Arbitrary<string> {
  return mutated(Buffer.from(right)).map((bytes) => new TextDecoder().decode(bytes));
}

/** JSON texts that `JSON.stringify` never writes: huge numbers, duplicate names, deep nesting, and invalid JSON. */
export const hostileJsonText: fc.Arbitrary<string> = fc.oneof(
  hostileJson.map((value) => JSON.stringify(value)),
  hostileText,
  fc.constantFrom(
    "",
    "null",
    "NaN",
    "-Infinity",
    "1e999",
    "\ufeff{}",
    '{"type":"register","max_concurrency":1e999}',
    '{"type":"register","max_concurrency":-0.0,"max_concurrency":5}',
    '{"type":"status_update","max_concurrency":1e400}',
    '{"type":"heartbeat","host_cpu_percent":1e999}',
    '{"type":"register","__proto__":{"polluted":true},"agent_config":{"__proto__":{"polluted":true},"constructor":"x"}}',
    '{"type":"register","worker_name":"\\ud800","models":["\\udfff"],"agent_config":{"os":"\\ud83d"}}',
    '{"client_name":"a\\u202eb\\ud800","info":{"__proto__":{"polluted":true},"version":"\\u2028"}}',
    `{"type":"register","agent_config":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    `{"type":"register","agent_config":{"a":${'{"a":'.repeat(5000)}1${"}".repeat(5000)}}}`,
  ),
);

const PROTOTYPES = [Object.prototype, Array.prototype, String.prototype, Function.prototype];
const ownKeys = (): (string | symbol)[][] => PROTOTYPES.map((each) => Reflect.ownKeys(each));
const KEYS_AT_START = ownKeys();

/** Throws if input has changed `Object.prototype`. */
export function expectCleanPrototype(): void {
  const isSame = ownKeys().every((keys, at) => keys.length === KEYS_AT_START[at]?.length);
  if (!isSame || "polluted" in {}) throw new Error("a prototype was changed");
}
