import { describe, expect, test } from "bun:test";
import type { Answer, Backend, Opening } from "../../../../../src/answering/opening.ts";
import type { HeaderPairs, RequestHead } from "../../../../../src/wire/heads.ts";
import { type RuledOptions, ruled } from "../../../../../src/worker/mcp/ruled/ruled-backend.ts";
import { compileRules } from "../../../../../src/worker/mcp/rules.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const JSON_TYPE: HeaderPairs = [["content-type", "application/json"]];
const LIST = { jsonrpc: "2.0", id: 1, result: { tools: [{ name: "read_a" }, { name: "drop" }], big: 1 } };
const READ = compileRules({ tools: ["read_*"] });
const ANN = {
  name: "ann",
  token: "t-ann",
  rules: { tools: ["read_*"] },
  parallel: undefined,
  requestsPerMinute: undefined,
};
const BOB = { ...ANN, name: "bob", token: "t-bob", rules: {} };

interface Seen {
  readonly head: RequestHead;
  readonly body: unknown;
}

/** A backend that remembers what it was sent. */
function recorder(answer: (body: string) => Partial<Answer> = () => ({})): Backend & { readonly seen: Seen[] } {
  const seen: Seen[] = [];
  return {
    seen,
    open: (head) => ({
      kind: "ask",
      mayFallSilent: true,
      isListening: false,
      ask: async (body) => {
        const text = body === undefined ? "" : await new Response(body as Uint8Array<ArrayBuffer>).text(); // plain memory
        seen.push({ head, body: body instanceof ReadableStream ? body : text });
        return {
          status: 200,
          headers: JSON_TYPE,
          body: new TextEncoder().encode(JSON.stringify(LIST)),
          ...answer(text),
        };
      },
    }),
  };
}

function options(more: Partial<RuledOptions> = {}): RuledOptions {
  return {
    callers: undefined,
    rules: undefined,
    auditArguments: false,
    facts: undefined,
    secret: "s",
    clock: new FakeClock(),
    ...more,
  };
}

const post = (headers: HeaderPairs = [], more: Partial<RequestHead> = {}): RequestHead => ({
  method: "POST",
  path: "/",
  headers: [...JSON_TYPE, ...headers],
  ...more,
});
const as = (token: string): HeaderPairs => [["authorization", `Bearer ${token}`]];
const call = (name: unknown, more: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: { a: 1 } }, ...more });

async function ask(opening: Opening, body?: string | ReadableStream<Uint8Array>): Promise<Answer> {
  if (opening.kind !== "ask") throw new Error(`there is an answer already: ${JSON.stringify(opening)}`);
  const sent = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return opening.ask(sent, new AbortController().signal);
}
const textOf = ({ body }: Answer): Promise<string> => new Response(body as Uint8Array<ArrayBuffer> | null).text(); // plain memory
const jsonOf = async (answer: Answer) => JSON.parse(await textOf(answer));

describe("without rules, callers and records", () => {
  test("a request passes as the same object, with its body unread", async () => {
    const backend = recorder();
    const head = post();
    const body = new Response("not json").body ?? expect.unreachable();
    const answer = await ask(ruled(backend, options()).open(head), body);
    expect(backend.seen[0]?.head).toBe(head);
    expect(answer).not.toHaveProperty("called");
  });

  test("a caller whom the server names, without rules, keeps body and answer as they are", async () => {
    const backend = recorder();
    const head = post([], { caller: { name: "k" } });
    const answer = await ask(ruled(backend, options()).open(head), "[not json");
    expect(backend.seen[0]?.body).toBe("[not json");
    expect(await jsonOf(answer)).toEqual(LIST);
  });
});

describe("the relay's own callers", () => {
  const backend = recorder();
  const own = ruled(backend, options({ callers: [ANN, BOB] }));

  test("are known by their tokens, and others are refused", () => {
    expect(own.open(post())).toMatchObject({ kind: "answer", status: 401 });
    expect(own.open(post())).not.toHaveProperty("refused");
    expect(own.open(post(as("t-eve")))).toMatchObject({ status: 401, refused: "token" });
    expect(own.open(post(as("t-ann")))).toMatchObject({ kind: "ask" });
  });

  test("have each their rules, and the answer says who called what", async () => {
    expect((await ask(own.open(post(as("t-bob"))), call("drop"))).called).toEqual({ caller: "bob" });
    expect((await ask(own.open(post(as("t-ann"))), call("read_a"))).called).toEqual({ caller: "ann", name: "read_a" });
    const seen = backend.seen.length;
    const denied = await ask(own.open(post(as("t-ann"))), call("drop"));
    expect(denied).toMatchObject({ status: 200, called: { caller: "ann", name: "drop", denied: true } });
    expect(await jsonOf(denied)).toEqual({
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32_602, message: "Unknown tool: drop" },
    });
    expect(backend.seen).toHaveLength(seen);
  });

  test("get no answer to a notification that is denied, and the MCP server does not get it", async () => {
    const seen = backend.seen.length;
    const answer = await ask(own.open(post(as("t-ann"))), call("drop", { id: undefined }));
    expect(answer).toMatchObject({ status: 202, body: null, called: { denied: true } });
    expect(backend.seen).toHaveLength(seen);
  });
});

describe("the rules of a caller whom the server names", () => {
  test("hold together with those of the relay", async () => {
    const backend = recorder();
    const both = ruled(backend, options({ rules: compileRules({ tools: ["!read_secret"] }) }));
    const caller = { name: "k", rules: { tools: ["read_*"] } };
    for (const [name, status] of [
      ["read_a", false],
      ["read_secret", true],
      ["drop", true],
    ] as const) {
      const answer = await ask(both.open(post([], { caller })), call(name));
      expect(answer.called?.denied ?? false).toBe(status);
    }
    expect(backend.seen).toHaveLength(1);
  });
});

describe("what reaches the MCP server", () => {
  test("is the body as it was judged, byte for byte, as plain JSON", async () => {
    const backend = recorder();
    const text = `  {"jsonrpc":"2.0", "id":12345678901234567890,"method":"tools/call","params":{"name":"read_a","arguments":{"n":1.0}}}`;
    const stream = new Response(text).body ?? expect.unreachable();
    const head = { ...post(), headers: [["Content-Type", "application/json; charset=utf-16"]] as const };
    await ask(ruled(backend, options({ rules: READ })).open(head), stream);
    expect(backend.seen[0]?.body).toBe(text);
    expect(backend.seen[0]?.head.headers).toEqual([["Content-Type", "application/json"]]);
  });

  test("is nothing of another type, nothing with two types, and no body that is not clear", async () => {
    const backend = recorder();
    const rules = ruled(backend, options({ rules: READ }));
    for (const headers of [[], [["content-type", "text/plain"]], [...JSON_TYPE, ...JSON_TYPE]] as HeaderPairs[]) {
      expect(rules.open({ ...post(), headers })).toMatchObject({ kind: "answer", status: 415 });
    }
    expect((await ask(rules.open(post()), "{")).status).toBe(400);
    expect((await ask(rules.open(post()), `[${call("read_a")}]`)).status).toBe(400);
    expect(backend.seen).toEqual([]);
  });

  test.each([
    [[["mcp-method", "tools/list"]]],
    [[["Mcp-Name", "drop"]]],
    [[["mcp-name", "=?base64?ZHJvcA==?="]]],
    [
      [
        ["mcp-name", "read_a"],
        ["mcp-name", "drop"],
      ],
    ],
    [
      [
        ["mcp-method", "tools/call"],
        ["mcp-method", "tools/call"],
      ],
    ],
    [[["mcp-name", "=?base64?####?="]]],
  ] as const)("is nothing whose headers say something else: %j", async (headers) => {
    const backend = recorder();
    const answer = await ask(ruled(backend, options({ rules: READ })).open(post([...headers])), call("read_a"));
    expect(answer.status).toBe(400);
    expect((await jsonOf(answer)).error.code).toBe(-32_020);
    expect(backend.seen).toEqual([]);
  });

  test("is a request whose headers repeat it", async () => {
    const backend = recorder();
    const headers = [
      ["mcp-method", "tools/call"],
      ["mcp-name", "=?base64?cmVhZF9h?="],
    ] as const;
    expect((await ask(ruled(backend, options({ rules: READ })).open(post([...headers])), call("read_a"))).status).toBe(
      200,
    );
    expect(backend.seen).toHaveLength(1);
  });

  test("is no body of a GET", async () => {
    const backend = recorder();
    await ask(ruled(backend, options({ rules: READ })).open({ ...post(), method: "GET" }), call("drop"));
    expect(backend.seen[0]?.body).toBe("");
  });

  test("is nothing larger than the limit, which is said with the id", async () => {
    const backend = recorder();
    const begun = new TextEncoder().encode('{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"a":"');
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(sent === 1 ? begun : new Uint8Array(1024 * 1024).fill(0x61));
      },
    });
    const answer = await ask(ruled(backend, options({ rules: READ })).open(post()), endless);
    expect(answer.status).toBe(413);
    expect(await jsonOf(answer)).toMatchObject({ id: "x" });
    expect(sent).toBeLessThan(40);
    expect(backend.seen).toEqual([]);
  });
});

describe("an answer", () => {
  const compressed = (format: Bun.CompressionFormat): Uint8Array | ReadableStream<Uint8Array> =>
    (new Blob([JSON.stringify(LIST)]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(
      new CompressionStream(format),
    ) as ReadableStream<Uint8Array>;

  test.each([
    ["gzip", "gzip"],
    ["X-GZIP", "gzip"],
    ["deflate", "deflate"],
    ["br", "brotli"],
    ["zstd", "zstd"],
  ] as const)("that is compressed as %s is restricted", async (encoding, format) => {
    const headers = [...JSON_TYPE, ["content-encoding", encoding], ["content-length", "1"], ["etag", "x"]] as const;
    const backend = recorder(() => ({ headers, body: compressed(format) }));
    const answer = await ask(ruled(backend, options({ rules: READ })).open(post()), call("read_a"));
    expect((await jsonOf(answer)).result.tools).toEqual([{ name: "read_a" }]);
    expect(answer.headers).toEqual([...JSON_TYPE, ["cache-control", "private"]]);
  });

  test.each(["compress", "gzip, br", "toString"])("in the encoding %s is refused", async (encoding) => {
    const backend = recorder(() => ({ headers: [...JSON_TYPE, ["content-encoding", encoding]] }));
    const opening = ruled(backend, options({ rules: READ })).open(post());
    await expect(ask(opening, call("read_a"))).rejects.toThrow("encoding");
  });

  test("of any type is restricted if it is JSON", async () => {
    for (const type of ["text/plain", "application/json; charset=x", ""]) {
      const backend = recorder(() => ({ headers: type === "" ? [] : [["content-type", type]] }));
      const answer = await ask(ruled(backend, options({ rules: READ })).open({ ...post(), method: "GET" }));
      expect(await textOf(answer)).not.toContain("drop");
    }
  });

  test("that has nothing to hide keeps its bytes and its headers", async () => {
    const text = '{"jsonrpc":"2.0","id":1, "result":{"n":1.0}}';
    const headers = [...JSON_TYPE, ["cache-control", "max-age=1"]] as const;
    const backend = recorder(() => ({ headers, body: new TextEncoder().encode(text) }));
    const answer = await ask(ruled(backend, options({ rules: READ })).open(post()), call("read_a"));
    expect(await textOf(answer)).toBe(text);
    expect(answer.headers).toEqual(headers);
  });

  test("that is larger than the limit is refused, and so is such an event", async () => {
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(4 * 1024 * 1024).fill(0x20)) });
    const large = ruled(
      recorder(() => ({ body: endless() })),
      options({ rules: READ }),
    );
    await expect(ask(large.open(post()), call("read_a"))).rejects.toThrow("too large");
    const headers = [["content-type", "text/event-stream"]] as const;
    const event = ruled(
      recorder(() => ({ headers, body: endless() })),
      options({ rules: READ }),
    );
    const answer = await ask(event.open(post()), call("read_a"));
    await expect(textOf(answer)).rejects.toThrow("too large");
  });

  test.each([
    ["application/json", '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"drop","x":NaN}]}}'],
    ["application/json", '\ufeff [{"result":{"tools":[{"name":"drop"}]}},]'],
    ["text/event-stream", 'data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"drop","x":NaN}]}}\n\n'],
    ["application/json", Buffer.from(`\ufeff${JSON.stringify(LIST)}`, "utf16le")],
    ["application/json", Buffer.from(JSON.stringify(LIST), "utf16le")],
    ["application/json", Buffer.from(JSON.stringify(LIST), "utf16le").swap16()],
  ])("of the type %s that only some clients can read is refused", async (type, text) => {
    const body = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const backend = recorder(() => ({ headers: [["content-type", type]], body }));
    const read = async () => textOf(await ask(ruled(backend, options({ rules: READ })).open(post()), call("read_a")));
    await expect(read()).rejects.toThrow("not valid JSON");
  });

  test("that is a page or a path, and no JSON, passes", async () => {
    for (const text of ["<html>{drop}</html>", "", "Not found"]) {
      const backend = recorder(() => ({ status: 404, headers: [], body: new TextEncoder().encode(text) }));
      expect(await textOf(await ask(ruled(backend, options({ rules: READ })).open(post()), call("read_a")))).toBe(text);
    }
  });

  test("in an unknown encoding is given up", async () => {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      cancel: () => {
        isCancelled = true;
      },
    });
    const backend = recorder(() => ({ headers: [["content-encoding", "x"]], body }));
    await expect(ask(ruled(backend, options({ rules: READ })).open(post()), call("read_a"))).rejects.toThrow(
      "encoding",
    );
    expect(isCancelled).toBe(true);
  });

  test("says so where a list of tools has changed", async () => {
    let changes = 0;
    const facts = {
      read: async () => ({ tools: [] }),
      changed: () => {
        changes += 1;
      },
    };
    const body = new TextEncoder().encode('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
    const backend = recorder(() => ({ headers: [["content-type", "text/event-stream"]], body }));
    await textOf(await ask(ruled(backend, options({ rules: READ, facts })).open(post()), call("read_a")));
    expect(changes).toBe(1);
  });
});

describe("tools by what the MCP server says about them", () => {
  const rules = compileRules({ tools: ["@read-only"] });
  const asked = async (read: () => Promise<{ tools: { name: string; annotations?: unknown }[] }>) => {
    const backend = recorder();
    const answer = await ask(
      ruled(backend, options({ rules, facts: { read, changed: () => {} } })).open(post()),
      call("stat"),
    );
    return { calls: backend.seen.length, error: (await jsonOf(answer)).error };
  };
  const stat = { name: "stat", annotations: { readOnlyHint: true } };

  test("are allowed if it says that they are read-only", async () => {
    expect(await asked(async () => ({ tools: [{ name: "x" }, stat] }))).toEqual({ calls: 1, error: undefined });
  });

  test("are denied if it does not, or does not list them, or lists two of them", async () => {
    for (const tools of [[], [{ name: "stat" }], [stat, { name: "stat", annotations: { readOnlyHint: false } }]]) {
      expect(await asked(async () => ({ tools }))).toMatchObject({ calls: 0, error: { code: -32_602 } });
    }
  });

  test("are denied with the reason if its tools cannot be read", async () => {
    const read = () => Promise.reject(new Error("It is asleep."));
    expect(await asked(read)).toMatchObject({
      calls: 0,
      error: { code: -32_603, message: expect.stringContaining("It is asleep.") },
    });
  });
});

describe("a session", () => {
  const backend = recorder(() => ({ headers: [...JSON_TYPE, ["Mcp-Session-Id", "s-1"]] }));
  const own = ruled(backend, options({ callers: [BOB, { ...BOB, name: "eve", token: "t-eve" }] }));
  const sessionOf = ({ headers }: Answer) =>
    headers.find(([name]) => name.toLowerCase() === "mcp-session-id")?.[1] ?? "";

  test("is known to its caller by an id that nobody else can use, in every method", async () => {
    const given = sessionOf(await ask(own.open(post(as("t-bob"))), call("x")));
    expect(given).not.toBe("s-1");
    for (const method of ["POST", "GET", "DELETE"]) {
      await ask(own.open(post([...as("t-bob"), ["mcp-session-id", given]], { method })), "{}");
      expect(backend.seen.at(-1)?.head.headers).toContainEqual(["mcp-session-id", "s-1"]);
      for (const id of [given, "s-1", "", `s-1.${"A".repeat(22)}`, `${given}x`, given.slice(0, -1)]) {
        expect(own.open(post([...as("t-eve"), ["Mcp-Session-Id", id]], { method }))).toMatchObject({ status: 404 });
      }
    }
    expect(own.open(post([...as("t-bob"), ["mcp-session-id", "s-1"]]))).toMatchObject({ status: 404 });
    const twice = [
      ["mcp-session-id", given],
      ["mcp-session-id", given],
    ] as const;
    expect(own.open(post([...as("t-bob"), ...twice]))).toMatchObject({ status: 404 });
  });

  test("belongs to callers whom the server names as well, for as long as the secret stays the same", async () => {
    const named = (name: string) => ({ caller: { name } });
    const given = sessionOf(await ask(ruled(backend, options()).open(post([], named("k"))), "{}"));
    const after = ruled(backend, options());
    expect(after.open(post([["mcp-session-id", given]], named("k")))).toMatchObject({ kind: "ask" });
    expect(after.open(post([["mcp-session-id", given]], named("l")))).toMatchObject({ status: 404 });
    expect(
      ruled(backend, options({ secret: "other" })).open(post([["mcp-session-id", given]], named("k"))),
    ).toMatchObject({ status: 404 });
  });
});

describe("the limits of a caller", () => {
  test("end its calls over a minute", async () => {
    const clock = new FakeClock();
    const own = ruled(recorder(), options({ callers: [{ ...BOB, requestsPerMinute: 2 }], clock }));
    const status = async (body = call("x")) => (await ask(own.open(post(as("t-bob"))), body)).status;
    expect([await status(), await status()]).toEqual([200, 200]);
    clock.advance(30_000);
    const refused = await ask(own.open(post(as("t-bob"))), call("x", { id: "r" }));
    expect(refused).toMatchObject({ status: 429, called: { caller: "bob" } });
    expect(refused.headers).toContainEqual(["retry-after", "30"]);
    expect(await jsonOf(refused)).toMatchObject({ id: "r", error: { data: { limit: "requests_per_minute" } } });
    expect(await status('{"jsonrpc":"2.0","method":"notifications/cancelled"}')).toBe(200);
    clock.advance(30_000);
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
  });

  test("count a call without an id, and take none whose id is no id", async () => {
    const backend = recorder();
    const own = ruled(backend, options({ callers: [{ ...BOB, requestsPerMinute: 1 }] }));
    const status = async (more: object) => (await ask(own.open(post(as("t-bob"))), call("x", more))).status;
    for (const id of [null, true, {}, []]) expect(await status({ id })).toBe(400);
    expect([await status({ id: undefined }), await status({ id: undefined })]).toEqual([200, 429]);
    expect(backend.seen).toHaveLength(1);
  });

  test("end its calls at once, until one of them has ended for the client", async () => {
    const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
    const backend = recorder(() => ({
      headers: [["content-type", "text/event-stream"]],
      body: new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) }),
    }));
    const own = ruled(backend, options({ callers: [{ ...BOB, parallel: 2 }] }));
    const begin = (method = "tools/call") => ask(own.open(post(as("t-bob"))), call("x", { method }));
    const [first, second] = [await begin(), await begin()];
    expect((await begin()).status).toBe(429);
    const text = textOf(first);
    streams[0]?.close();
    await text;
    expect((await begin("subscriptions/listen")).status).toBe(200);
    const third = await begin();
    expect(third.status).toBe(200);
    expect((await begin()).status).toBe(429);
    if (second.body instanceof ReadableStream) await second.body.cancel();
    expect((await begin()).status).toBe(200);
  });

  test("count a call no longer if it fails or its client leaves", async () => {
    const failing = recorder(() => {
      throw new Error("broken");
    });
    const own = ruled(failing, options({ callers: [{ ...BOB, parallel: 1 }] }));
    for (let times = 0; times < 3; times += 1)
      await expect(ask(own.open(post(as("t-bob"))), call("x"))).rejects.toThrow("broken");
    const held = recorder(() => ({
      headers: [["content-type", "text/event-stream"]],
      body: new ReadableStream<Uint8Array>(),
    }));
    const other = ruled(held, options({ callers: [{ ...BOB, parallel: 1 }] }));
    const leaving = new AbortController();
    const opening = other.open(post(as("t-bob")));
    if (opening.kind !== "ask") return expect.unreachable();
    await opening.ask(new TextEncoder().encode(call("x")), leaving.signal);
    expect((await ask(other.open(post(as("t-bob"))), call("x"))).status).toBe(429);
    leaving.abort();
    expect((await ask(other.open(post(as("t-bob"))), call("x"))).status).toBe(200);
  });
});

describe("arguments", () => {
  test("are recorded only if the owner wants it, and cut", async () => {
    const recorded = ruled(recorder(), options({ auditArguments: true }));
    expect((await ask(recorded.open(post()), call("x"))).called).toEqual({ name: "x", arguments: '{"a":1}' });
    const long = call("x", { params: { name: "x", arguments: { a: "y".repeat(10_000) } } });
    expect((await ask(recorded.open(post()), long)).called?.arguments).toHaveLength(4096);
    const silent = ruled(recorder(), options({ rules: READ }));
    expect((await ask(silent.open(post()), call("read_a"))).called).toEqual({ name: "read_a" });
  });
});
