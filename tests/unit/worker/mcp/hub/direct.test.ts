import { describe, expect, test } from "bun:test";
import type { Answer } from "../../../../../src/answering/opening.ts";
import { compileRules } from "../../../../../src/worker/mcp/rules.ts";
import { ask, drop, type Message, messagesOf, open, reading, say } from "../../../../support/bridge-client.ts";
import { eventually } from "../../../../support/eventually.ts";
import {
  type Asked,
  event,
  eventStream,
  events,
  hubOfScripted,
  json,
  RESULT,
  type Script,
} from "../../../../support/scripted-member.ts";
import { turn } from "../../../../support/turn.ts";

// Calls to members on Streamable HTTP, which are passed on in their own bytes where nothing speaks against it. Whatever the client and
// the member see of a call is the same as when it travels as a message.

const WAYS = [
  ["in its own bytes", true],
  ["as a message", false],
] as const;

/** A hub with one open session, in which the client has finished its handshake. */
async function session(isDirect: boolean, script: Script, rules?: Parameters<typeof hubOfScripted>[2]) {
  const { hub, clock, askedOf } = hubOfScripted({ web: script, other: () => undefined }, isDirect, rules);
  const { id } = await open(hub);
  await say(hub, id, { method: "notifications/initialized" });
  await eventually(() => askedOf("web").some(({ method }) => method === "GET"));
  const call = (message: Message = {}, more: Parameters<typeof say>[3] = {}): Promise<Response> =>
    say(hub, id, { id: 7, method: "tools/call", params: { name: "web__small", arguments: {} }, ...message }, more);
  const calls = (): readonly Asked[] => askedOf("web").filter(({ message }) => message.method === "tools/call");
  return { hub, clock, id, call, calls, asked: () => askedOf("web") };
}

/** Answers calls of tools alone. */
function onCall(answer: (asked: Asked) => Answer | Promise<Answer>): Script {
  return (asked) => (asked.message.method === "tools/call" ? answer(asked) : undefined);
}

describe.each(WAYS)("a call %s", (_way, isDirect) => {
  test("reaches the server under the server's own names, and is answered under the client's", async () => {
    const { call, calls } = await session(isDirect, () => undefined);
    const params = {
      name: "web__small",
      arguments: { id: 7, name: "web__small" },
      _meta: { progressToken: "t", x: 1 },
    };
    const response = await call({ id: "own", params });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("mcp-session-id")).not.toBeNull();
    expect(await messagesOf(response)).toEqual([{ jsonrpc: "2.0", id: "own", result: RESULT } as Message]);
    const [asked] = calls();
    const { id } = asked?.message ?? {};
    expect(typeof id).toBe("number");
    expect(asked?.message).toEqual({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { ...params, name: "small", _meta: { progressToken: id, x: 1 } },
    } as Message);
    expect([...(asked?.headers ?? [])].sort().map((pair) => pair.join(": "))).toEqual([
      "accept: application/json, text/event-stream",
      "content-type: application/json",
      "mcp-protocol-version: 2025-06-18",
      "mcp-session-id: member-session",
    ]);
  });

  test.each([
    ["one event", [event({ id: "ID", result: RESULT })]],
    ["lines that end with both", [event({ id: "ID", result: RESULT }).replaceAll("\n", "\r\n")]],
    [
      "a comment and an event without data before it",
      [": hi\n\nid: 1\ndata: \n\n", event({ id: "ID", result: RESULT })],
    ],
    ["an event in two pieces", event({ id: "ID", result: RESULT }).split(/(?<=message\n.)/)],
    ["an event whose last byte comes alone", event({ id: "ID", result: RESULT }).split(/(?=\n$)/)],
    [
      "many comments before it",
      [...Array.from({ length: 500 }, () => ": hi\n\n"), event({ id: "ID", result: RESULT })],
    ],
    ["a time to wait before it", ["retry: 10\ndata:\n\n", event({ id: "ID", result: RESULT })]],
    ["an event after its result", [event({ id: "ID", result: RESULT }), event({ id: 99, result: {} })]],
  ])("is answered in JSON where the server answers with a stream of %s", async (_name, pieces) => {
    const { call } = await session(
      isDirect,
      onCall(({ message }) => events(...pieces.map((piece) => piece.replace('"ID"', String(message.id))))),
    );
    const response = await call();
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await messagesOf(response)).toEqual([{ jsonrpc: "2.0", id: 7, result: RESULT } as Message]);
  });

  test("is answered as soon as its result is there, and what follows on the stream is passed on", async () => {
    const stream = eventStream();
    const { hub, id, call, calls } = await session(
      isDirect,
      onCall(() => stream.answer),
    );
    const listening = reading(
      await ask(hub, "GET", undefined, { headers: { "mcp-session-id": id, accept: "text/event-stream" } }),
    );
    const answer = call();
    await eventually(() => calls().length === 1);
    stream.write(event({ id: calls()[0]?.message.id, result: RESULT }));
    expect(await messagesOf(await answer)).toEqual([{ jsonrpc: "2.0", id: 7, result: RESULT } as Message]);
    stream.write(event({ method: "notifications/tools/list_changed" }));
    expect(await listening.until("list_changed")).toContain("notifications/tools/list_changed");
    stream.end();
    await listening.leave();
  });

  test("with progress is answered by an event stream that has the client's own token", async () => {
    const stream = eventStream();
    const { call, calls } = await session(
      isDirect,
      onCall(() => stream.answer),
    );
    const answer = call({ params: { name: "web__small", _meta: { progressToken: "mine" } } });
    await eventually(() => calls().length === 1);
    const { id } = calls()[0]?.message ?? {};
    stream.write(event({ method: "notifications/progress", params: { progressToken: id, progress: 1 } }));
    const response = await answer;
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    stream.write(event({ id, result: RESULT }));
    stream.end();
    expect((await messagesOf(response)).map(({ params, result }) => params ?? result)).toEqual([
      { progressToken: "mine", progress: 1 },
      RESULT,
    ]);
  });

  test("lets the server ask the client before it answers", async () => {
    const stream = eventStream();
    const { hub, id, call, calls, asked } = await session(
      isDirect,
      onCall(() => stream.answer),
    );
    const answer = call();
    await eventually(() => calls().length === 1);
    stream.write(event({ id: "ask", method: "elicitation/create", params: { message: "Who?" } }));
    const client = reading(await answer);
    const question = /"id":(\d+)/.exec(await client.until("Who?"))?.[1];
    await say(hub, id, { id: Number(question), result: { action: "accept" } });
    await eventually(() => asked().some(({ message }) => message.id === "ask"));
    expect(asked().find(({ message }) => message.id === "ask")?.message.result).toEqual({ action: "accept" });
    stream.write(event({ id: calls()[0]?.message.id, result: RESULT }));
    expect(await client.until("done")).toContain('"id":7');
    stream.end();
  });

  test("gets a message of another stream that comes before its answer", async () => {
    const listening = eventStream();
    const answered = Promise.withResolvers<Answer>();
    const { call, calls } = await session(isDirect, (asked) => {
      if (asked.method === "GET") return listening.answer;
      return asked.message.method === "tools/call" ? answered.promise : undefined;
    });
    const answer = call();
    await eventually(() => calls().length === 1);
    listening.write(event({ method: "notifications/message", params: { level: "info", data: "working" } }));
    const client = reading(await answer);
    expect(await client.until("working")).toContain('"logger":"web"');
    answered.resolve(json({ jsonrpc: "2.0", id: calls()[0]?.message.id, result: RESULT }));
    expect(await client.until("done")).toContain('"id":7');
  });

  test("that takes long is answered by an event stream", async () => {
    const answered = Promise.withResolvers<Answer>();
    const { clock, call, calls } = await session(
      isDirect,
      onCall(() => answered.promise),
    );
    const answer = call();
    await eventually(() => calls().length === 1);
    clock.advance(3000);
    const response = await answer;
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    answered.resolve(json({ jsonrpc: "2.0", id: calls()[0]?.message.id, result: RESULT }));
    expect((await messagesOf(response)).map(({ id, result }) => [id, result])).toEqual([[7, RESULT]]);
    expect(calls()).toHaveLength(1);
  });

  test("that is cancelled is cancelled at the server, by the id that the server knows, and no other is", async () => {
    const answers = new Map<unknown, (answer: Answer) => void>();
    const { hub, id, call, calls, asked } = await session(
      isDirect,
      onCall(({ message, signal }) => {
        const { promise, resolve, reject } = Promise.withResolvers<Answer>();
        signal.addEventListener("abort", () => reject(signal.reason));
        answers.set(message.id, resolve);
        return promise;
      }),
    );
    const leave = new AbortController();
    const first = call({ id: 1 }, { signal: leave.signal }).catch((error: Error) => error.message);
    const second = call({ id: 2 });
    await eventually(() => calls().length === 2);
    await say(hub, id, { method: "notifications/cancelled", params: { requestId: 1 } });
    const [one, two] = calls();
    await eventually(() => one?.signal.aborted === true);
    const told = asked().filter(({ message }) => message.method === "notifications/cancelled");
    expect(told.map(({ message }) => message.params?.["requestId"])).toEqual([one?.message.id]);
    expect(two?.signal.aborted).toBe(false);
    answers.get(two?.message.id)?.(json({ jsonrpc: "2.0", id: two?.message.id, result: RESULT }));
    expect(await messagesOf(await second)).toEqual([{ jsonrpc: "2.0", id: 2, result: RESULT } as Message]);
    leave.abort();
    void first;
  });

  test("whose answer names a resource of another server gets the name for clients", async () => {
    const content = [{ type: "resource_link", uri: "file:///a", name: "a" }];
    const list = (uris: readonly string[]): Script => {
      return ({ message: { method, id } }) => {
        if (method === "resources/list")
          return json({ jsonrpc: "2.0", id, result: { resources: uris.map((uri) => ({ uri, name: uri })) } });
        // With white space, so that its bytes are looked at.
        const written = `{ "jsonrpc":"2.0", "id":${id}, "result":${JSON.stringify({ content })} }`;
        return method === "tools/call" ? json(written) : undefined;
      };
    };
    const { hub } = hubOfScripted({ first: list(["file:///a"]), web: list([]) }, isDirect);
    const { id } = await open(hub);
    await say(hub, id, { id: 1, method: "resources/list", params: {} });
    await say(hub, id, { id: 2, method: "tools/call", params: { name: "web__small" } });
    const answer = await say(hub, id, { id: 3, method: "tools/call", params: { name: "web__small" } });
    expect((await messagesOf(answer))[0]?.result).toEqual({
      content: [{ type: "resource_link", uri: "moorage:web:file:///a", name: "a" }],
    });
  });

  test("waits until the server has taken the notification before it", async () => {
    const taken = Promise.withResolvers<Answer>();
    const { hub, id, call, calls } = await session(isDirect, ({ message }) =>
      message.method === "notifications/roots/list_changed" ? taken.promise : undefined,
    );
    await say(hub, id, { method: "notifications/roots/list_changed" });
    const answer = call();
    await turn();
    expect(calls()).toHaveLength(0);
    taken.resolve({ status: 202, headers: [], body: null });
    expect((await messagesOf(await answer))[0]?.result).toEqual(RESULT);
  });

  test("of a tool that the file does not allow reaches no server", async () => {
    const { call, calls } = await session(isDirect, () => undefined, compileRules({ tools: ["big"] }));
    const refused = (await messagesOf(await call()))[0]?.error;
    expect(refused).toEqual({ code: -32_602, message: "Unknown tool: web__small" });
    expect((await messagesOf(await call({ params: { name: "web__big" } })))[0]?.result).toEqual(RESULT);
    expect(calls().map(({ message }) => message.params?.["name"])).toEqual(["big"]);
  });

  test.each([
    ["another spelling of a name", { name: "web__big", Name: "small" }],
    ["a letter that folds into a Latin one", { name: "web__big", "notification\u017f": {} }],
    ["another spelling within a reference", { name: "web__big", ref: { type: "ref/prompt", Name: "small" } }],
  ])("with %s reaches no server where the file has rules", async (_name, params) => {
    const { call, calls } = await session(isDirect, () => undefined, compileRules({ tools: ["big"] }));
    expect((await messagesOf(await call({ params })))[0]?.error?.code).toBe(-32_600);
    expect(calls()).toEqual([]);
    const { call: freely } = await session(isDirect, () => undefined);
    expect((await messagesOf(await freely({ params })))[0]?.result).toEqual(RESULT);
  });

  test("with a name that some programs repair reaches no server where the file has rules", async () => {
    const { call, calls } = await session(isDirect, () => undefined, compileRules({ tools: ["big*"] }));
    expect((await messagesOf(await call({ params: { name: "web__big\ud800" } })))[0]?.error?.code).toBe(-32_602);
    expect(calls()).toEqual([]);
  });

  test("in a session that the server has ended fails, and the next one opens another", async () => {
    let isGone = true;
    const { call, asked } = await session(
      isDirect,
      onCall(({ message: { id } }) => (isGone ? json({}, 404) : json({ jsonrpc: "2.0", id, result: RESULT }))),
    );
    const [failed] = await messagesOf(await call());
    expect(failed?.error?.message).toBe("The MCP server web did not answer: its session has ended.");
    isGone = false;
    expect((await messagesOf(await call({ id: 8 })))[0]?.result).toEqual(RESULT);
    expect(asked().filter(({ message }) => message.method === "initialize")).toHaveLength(2);
  });

  test("that is open when its session ends gets an error", async () => {
    const { hub, id, call, calls } = await session(
      isDirect,
      onCall(() => new Promise(() => {})),
    );
    const answer = call();
    await eventually(() => calls().length === 1);
    void drop(hub, id);
    expect((await messagesOf(await answer))[0]).toMatchObject({ id: 7, error: { code: -32_603 } });
    await eventually(() => calls()[0]?.signal.aborted === true);
  });

  test.each([
    [
      "an event came before its answer",
      { method: "notifications/message", params: { level: "info", data: "working" } },
    ],
    ["its result has come and the stream goes on", { result: RESULT }],
  ])("is broken off at the server when its session ends, though %s", async (_name, message) => {
    const stream = eventStream();
    const { hub, id, call, calls } = await session(
      isDirect,
      onCall(() => stream.answer),
    );
    const answer = call();
    await eventually(() => calls().length === 1);
    const own = "result" in message ? { id: calls()[0]?.message.id } : {};
    stream.write(event({ ...own, ...message }));
    const client = reading(await answer);
    expect(await client.until("result" in message ? "done" : "working")).toBeDefined();
    await turn();
    expect(calls()[0]?.signal.aborted).toBe(false);
    void drop(hub, id);
    await eventually(() => calls()[0]?.signal.aborted === true);
  });

  test("whose client leaves does not keep its session in use", async () => {
    const { hub, clock, call, calls } = await session(
      isDirect,
      onCall(() => new Promise(() => {})),
    );
    const leave = new AbortController();
    const answer = call({}, { signal: leave.signal });
    const failed = answer.then(
      () => "answered",
      (error: Error) => error.message,
    );
    await eventually(() => calls().length === 1);
    clock.advance(59_000);
    leave.abort();
    await turn();
    expect(hub.sessions).toBe(1);
    clock.advance(90_000);
    await eventually(() => hub.sessions === 0);
    void failed;
  });
});

/** What a client sees of the answer to a call that a server answers so. */
async function seen(isDirect: boolean, answer: (asked: Asked) => Answer | Promise<Answer>): Promise<unknown> {
  const { call } = await session(isDirect, onCall(answer));
  const response = await call();
  return { status: response.status, messages: await messagesOf(response) };
}

const DEEP = `{"content":[],"deep":${"[".repeat(1500)}${"]".repeat(1500)}}`;

describe("a client sees the same of an answer that is", () => {
  test.each<[string, (id: unknown) => Answer | Promise<Answer>]>([
    ["a JSON-RPC error", (id) => json({ jsonrpc: "2.0", id, error: { code: -32_000, message: "no" } })],
    ["an error with another status", (id) => json({ jsonrpc: "2.0", id, error: { code: -1, message: "no" } }, 400)],
    ["a status without words", () => ({ status: 500, headers: [], body: null })],
    ["of another type", () => ({ status: 200, headers: [["content-type", "text/html"]], body: Buffer.from("hello") })],
    ["no JSON", () => json("{oops")],
    ["cut off", () => json('{"jsonrpc":"2.0","id":')],
    ["nested too deeply", (id) => json(`{"jsonrpc":"2.0","id":${id},"result":${DEEP}}`)],
    ["large", (id) => json({ jsonrpc: "2.0", id, result: { content: [], text: "x".repeat(400_000) } })],
    ["a batch of one", (id) => json([{ jsonrpc: "2.0", id, result: RESULT }] as object)],
    ["in JSON of two ids", (id) => json(`{"jsonrpc":"2.0","id":1000,"id":${id},"result":{"content":[]}}`)],
    ["with metadata", (id) => json({ jsonrpc: "2.0", id, result: { ...RESULT, _meta: { a: 1 } } })],
    ["with white space", (id) => json(` { "result" : {"content":[]} , "id" : ${id} , "jsonrpc" : "2.0" } \n`)],
    [
      "with a subscription, and white space",
      (id) =>
        json(`{"jsonrpc": "2.0","id":${id},"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"${id}"}}}`),
    ],
    ["text in other languages", (id) => json({ jsonrpc: "2.0", id, result: { content: [], text: "ahoy ⚓ é" } })],
    ["an event of more than one line", (id) => events(`data: {"jsonrpc":"2.0",\ndata: "id":${id},"result":{}}\n\n`)],
    ["an error event", (id) => events(event({ id, error: { code: -5, message: "no" } }))],
    ["an event stream that ends early", () => events(": nothing\n\n")],
    ["not there", () => Promise.reject(new Error("broken off"))],
    [
      "a body that breaks off",
      () => {
        const stream = eventStream();
        stream.end(new Error("broken off"));
        return { ...stream.answer, headers: [["content-type", "application/json"]] };
      },
    ],
  ])("%s", async (_name, answer) => {
    const [direct, other] = await Promise.all(
      WAYS.map(([, isDirect]) => seen(isDirect, ({ message }) => answer(message.id))),
    );
    expect(direct).toEqual(other);
    expect(direct).toMatchObject({ status: 200, messages: [{ id: 7 }] });
  });
});

/** What a server sees of a call with this body. */
async function told(isDirect: boolean, body: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const { hub, id, calls } = await session(isDirect, () => undefined);
  const given = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25", ...headers };
  const response = await ask(hub, "POST", body, { headers: given });
  const asked = calls().map(({ message }) => ({ ...message, id: typeof message.id }));
  return { status: response.status, text: await response.text(), asked };
}

describe("a server sees the same of a call", () => {
  const text = (params: string): string => `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}`;
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>?])[] = [
    ["with an escape in its name", text('{"name":"web__sm\\u0061ll"}')],
    ["with two names", text('{"name":"other__small","name":"web__small"}')],
    [
      "with two methods",
      '{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"tools/call","params":{"name":"web__small"}}',
    ],
    ["with a name in quotes", text('{"name":"web__\\"a\\\\"}')],
    [
      "with an id that is no whole number",
      '{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"web__small"}}',
    ],
    ["with more members", '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"web__small"},"more":1}'],
    ["without a name", text("{}")],
    ["of a name of no server", text('{"name":"nobody__small"}')],
    ["with metadata that are none", text('{"name":"web__small","_meta":1}')],
    ["with a token that is none", text('{"name":"web__small","_meta":{"progressToken":{}}}')],
    ["in a batch", `[${text('{"name":"web__small"}')}]`],
    ["that is cut off", text('{"name":"web__small"').slice(0, -1)],
    [
      "with white space",
      ` {"jsonrpc" : "2.0" , "params" : { "arguments" : {} , "name" : "web__small" } , "method" : "tools/call" , "id" : 7 }`,
    ],
    ["of an unknown revision", text('{"name":"web__small"}'), { "mcp-protocol-version": "1999-01-01" }],
    ["that accepts JSON alone", text('{"name":"web__small"}'), { accept: "application/json" }],
    ["of another type", text('{"name":"web__small"}'), { "content-type": "text/plain" }],
    ["in no session", text('{"name":"web__small"}'), { "mcp-session-id": "nobody's" }],
  ];
  for (const [name, body, headers] of cases) {
    test(name, async () => {
      const [direct, other] = await Promise.all(WAYS.map(([, isDirect]) => told(isDirect, body, headers)));
      expect(direct).toEqual(other);
    });
  }
});

test("numbers that a program could not write again pass through one URL as they are", async () => {
  const { hub, id, calls } = await session(
    true,
    onCall(({ message }) =>
      json(`{"jsonrpc":"2.0","id":${message.id},"result":{"content":[],"n":12345678901234567890,"x":1.0}}`),
    ),
  );
  const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"web__small","arguments":{"n":1e400}}}';
  const response = await ask(hub, "POST", body, { headers: { "mcp-session-id": id } });
  expect(await response.text()).toBe(
    '{"jsonrpc":"2.0","id":7,"result":{"content":[],"n":12345678901234567890,"x":1.0}}',
  );
  expect(calls()[0]?.text).toContain('{"name":"small","arguments":{"n":1e400}}');
});
