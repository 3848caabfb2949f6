import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { eventually } from "../../support/eventually.ts";
import { McpRig } from "../../support/mcp-rig.ts";

// The official SDK, v1: the 2025 era of the specification, with sessions. Everything here is between its client and a
// whole MCP server in a process of its own, through the relay.

let rig: McpRig;
beforeAll(async () => {
  rig = await McpRig.start();
});
afterAll(() => rig.stop());

const open: Client[] = [];
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});

interface Linked {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

const ALL: ClientCapabilities = { sampling: {}, elicitation: {}, roots: {} };

async function connect(
  options: StreamableHTTPClientTransportOptions = {},
  prepare: (client: Client) => void = () => {},
  to = rig,
): Promise<Linked> {
  const client = new Client({ name: "test", version: "1" }, { capabilities: ALL });
  prepare(client);
  const transport = new StreamableHTTPClientTransport(to.url, options);
  open.push(client);
  await client.connect(asTransport(transport));
  return { client, transport };
}

/** The SDK's class says `sessionId?: string | undefined` where its interface says `sessionId?: string`. */
function asTransport(transport: StreamableHTTPClientTransport): Transport {
  return transport as Transport;
}

type Call = Parameters<Client["callTool"]>[2];

/** The first text of a tool's result. */
async function call(client: Client, name: string, args: object = {}, options?: Call): Promise<string> {
  const result = await client.callTool({ name, arguments: { ...args } }, undefined, options);
  const content = result.content as readonly { readonly text?: string }[]; // The SDK types it loosely; a text is checked for here.
  return content[0]?.text ?? expect.unreachable();
}

async function stats(client: Client): Promise<Readonly<Record<"started" | "finished" | "cancelled", number>>> {
  return JSON.parse(await call(client, "smoke_stats"));
}

describe("through a relay the SDK's client", () => {
  test("initializes, lists and calls", async () => {
    const { client, transport } = await connect();
    expect(transport.sessionId).toBeString();
    expect(transport.protocolVersion).toBe("2025-11-25");
    expect(client.getServerVersion()).toMatchObject({ name: "mcpres-fixture" });
    expect(client.getInstructions()).toBe("Fixture for relay tests");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("smoke_echo");
    expect(await call(client, "smoke_echo", { text: "hello" })).toBe("hello");
    await client.ping();
    const failed = await client.callTool({ name: "test_error_handling" });
    expect(failed.isError).toBe(true);
    await expect(client.readResource({ uri: "test://nothing" })).rejects.toMatchObject({ code: expect.any(Number) });
  });

  test("gets back what it sent, in any script and up to 300 KB", async () => {
    const { client } = await connect();
    for (const text of ['Größe 船 🚢‍🌊 \u0000\u2028"\\', "é".repeat(150_000)]) {
      expect(await call(client, "smoke_echo", { text })).toBe(text);
    }
  });

  test("gets a result of 4 MB whole", async () => {
    const { client } = await connect();
    expect(await call(client, "smoke_big", { bytes: 4_000_000 })).toHaveLength(4_000_000);
  });

  test("gets 20 concurrent answers, each for its own call", async () => {
    const { client } = await connect();
    const texts = Array.from({ length: 20 }, (_, at) => `call ${at}`);
    expect(await Promise.all(texts.map((text) => call(client, "smoke_echo", { text })))).toEqual(texts);
  });

  test("gets all progress in order and before the result", async () => {
    const { client } = await connect();
    const heard: (number | string)[] = [];
    const onprogress = ({ progress }: { progress: number }): unknown => heard.push(progress);
    heard.push(await call(client, "smoke_long", { steps: 5, delayMs: 5 }, { onprogress }));
    expect(heard).toEqual([1, 2, 3, 4, 5, "finished 5"]);
  });

  test("gets progress during the call, and cancels it by a notification", async () => {
    const { client } = await connect();
    const before = await stats(client);
    const abort = new AbortController();
    const heard: number[] = [];
    // Without the cancel it would exceed the test's timeout.
    const cancelled = call(
      client,
      "smoke_long",
      { steps: 6000, delayMs: 10 },
      {
        signal: abort.signal,
        onprogress: ({ progress }) => {
          if (heard.push(progress) === 3) abort.abort("enough");
        },
      },
    );
    await expect(cancelled).rejects.toThrow("enough");
    expect(heard.slice(0, 3)).toEqual([1, 2, 3]);
    await eventually(async () => (await stats(client)).cancelled === before.cancelled + 1, "the tool has stopped");
  });

  test("does not cancel a call by losing its connection", async () => {
    const { client } = await connect();
    const before = await stats(client);
    const started = Promise.withResolvers<void>();
    const lost = (await connect()).client;
    const answer = call(lost, "smoke_long", { steps: 10, delayMs: 10 }, { onprogress: () => started.resolve() });
    answer.catch(() => {}); // Its client is gone; what matters is the tool.
    await started.promise;
    await lost.close();
    await eventually(async () => (await stats(client)).finished === before.finished + 1, "the tool has finished");
    expect((await stats(client)).cancelled).toBe(before.cancelled);
  });

  test("reads resources, prompts and completions", async () => {
    const { client } = await connect();
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toContain("test://static-text");
    expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1);
    expect((await client.readResource({ uri: "test://static-text" })).contents[0]).toMatchObject({
      text: "This is the content of the static text resource.",
    });
    expect((await client.readResource({ uri: "test://template/7/data" })).contents[0]).toMatchObject({
      text: expect.stringContaining('"id":"7"'),
    });
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toContain("test_simple_prompt");
    const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } });
    expect(prompt.messages[0]?.content).toMatchObject({ text: "Prompt with arguments: arg1='a', arg2='b'" });
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
      argument: { name: "arg1", value: "par" },
    });
    expect(completion.values).toEqual(["paris", "park", "party"]);
  });

  test("gets the log messages of its call", async () => {
    const heard: unknown[] = [];
    const { client } = await connect({}, (each) => {
      each.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.data));
    });
    await client.setLoggingLevel("info");
    expect(await call(client, "test_tool_with_logging")).toBe("logged");
    expect(heard).toEqual(["Tool execution started", "Tool processing data", "Tool execution completed"]);
  });
});

describe("through a relay an MCP server", () => {
  test("can ask its client's model and user and for its roots during a call", async () => {
    const { client } = await connect({}, (each) => {
      each.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
        model: "m",
        role: "assistant",
        content: { type: "text", text: `heard ${JSON.stringify(params.messages[0]?.content)}` },
      }));
      each.setRequestHandler(ElicitRequestSchema, () => ({
        action: "accept",
        content: { username: "ann", email: "ann@example.com" },
      }));
      each.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///harbour" }] }));
    });
    expect(await call(client, "test_sampling", { prompt: "What floats?" })).toContain("What floats?");
    expect(await call(client, "test_elicitation", { message: "Who?" })).toContain('"username":"ann"');
    expect(await call(client, "test_input_required_result_list_roots")).toContain("file:///harbour");
  });

  test("keeps two sessions apart", async () => {
    const answering = (name: string) =>
      connect({}, (each) => {
        each.setRequestHandler(CreateMessageRequestSchema, () => ({
          model: "m",
          role: "assistant",
          content: { type: "text", text: name },
        }));
      });
    const [ann, bob] = [await answering("ann"), await answering("bob")];
    expect(ann.transport.sessionId).not.toBe(bob.transport.sessionId);
    const asked = [ann, bob, ann, bob].map(({ client }) => call(client, "test_sampling", { prompt: "Who?" }));
    const said = ["ann", "bob", "ann", "bob"].map((name) => `LLM response: ${name}`);
    expect(await Promise.all(asked)).toEqual(said);
  });

  test("sends messages outside of calls on the client's listening stream", async () => {
    const heard = new Set<string>();
    const { client } = await connect({}, (each) => {
      each.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.add("tools"));
      each.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.add(params.uri));
    });
    await client.subscribeResource({ uri: "test://watched-resource" });
    // Repeated until it arrives, because the stream opens later.
    await eventually(async () => {
      await call(client, "test_trigger_tool_change");
      await call(client, "test_trigger_resource_update");
      return heard.size === 2;
    }, "both were heard");
    expect([...heard].sort()).toEqual(["test://watched-resource", "tools"]);
  });

  test("forgets a session that its client has ended, which then gets 404", async () => {
    const { client, transport } = await connect();
    const sessionId = transport.sessionId ?? expect.unreachable();
    await transport.terminateSession();
    expect(transport.sessionId).toBeUndefined();
    await client.close();
    const late = await connect({ sessionId });
    await expect(late.client.ping()).rejects.toMatchObject({ code: 404 });
  });
});

describe("a call whose stream breaks", () => {
  test("because the MCP server closed it is resumed where it was", async () => {
    const { client } = await connect();
    expect(await call(client, "test_reconnection")).toBe("Reconnection test completed successfully");
  });

  test("because the tunnel was cut finishes with all of its progress once the relay has reconnected", async () => {
    const resumed: string[] = [];
    const { client } = await connect({
      fetch: (url, init) => {
        const last = new Headers(init?.headers).get("last-event-id");
        if (last !== null) resumed.push(last);
        return fetch(url, init);
      },
      reconnectionOptions: {
        initialReconnectionDelay: 50,
        maxReconnectionDelay: 50,
        reconnectionDelayGrowFactor: 1,
        maxRetries: 100,
      },
    });
    const third = Promise.withResolvers<void>();
    const heard: number[] = [];
    const answer = call(
      client,
      "smoke_long",
      { steps: 60, delayMs: 10 },
      {
        onprogress: ({ progress }) => {
          if (heard.push(progress) === 3) third.resolve();
        },
      },
    );
    await third.promise;
    await rig.cutTunnel();
    rig.mendTunnel();
    expect(await answer).toBe("finished 60");
    expect(heard).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
    expect(resumed).not.toBeEmpty();
  });
});

describe("a relay with a token", () => {
  test("refuses clients without it, and accepts those with it", async () => {
    const guarded = await McpRig.start({ authToken: "open-sesame" });
    try {
      await expect(connect({}, undefined, guarded)).rejects.toMatchObject({ code: 401 });
      const wrong = { requestInit: { headers: { authorization: "Bearer nonsense" } } };
      await expect(connect(wrong, undefined, guarded)).rejects.toMatchObject({ code: 401 });
      const right = { requestInit: { headers: { authorization: "Bearer open-sesame" } } };
      const { client } = await connect(right, undefined, guarded);
      expect(await call(client, "smoke_echo", { text: "in" })).toBe("in");
      expect(await call(client, "smoke_headers")).not.toContain("open-sesame");
    } finally {
      await guarded.stop();
    }
  });
});
