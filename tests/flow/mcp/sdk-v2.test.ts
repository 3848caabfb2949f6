import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  Client,
  type ClientCapabilities,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
  UnauthorizedError,
  type VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import { eventually } from "../../support/eventually.ts";
import { McpRig } from "../../support/mcp-rig.ts";

// The official SDK, v2: both eras of the specification with one client. Everything here is between its client and a
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

const MODERN = "2026-07-28";
const ERAS: readonly (readonly [name: string, mode: VersionNegotiationMode, version: string])[] = [
  ["2026 era", { pin: MODERN }, MODERN],
  ["2025 era", "legacy", "2025-11-25"],
  ["era that is found out", "auto", MODERN],
];
const ALL: ClientCapabilities = { sampling: {}, elicitation: {}, roots: {} };

interface Wish {
  readonly mode?: VersionNegotiationMode;
  readonly capabilities?: ClientCapabilities;
  readonly transport?: StreamableHTTPClientTransportOptions;
  readonly to?: McpRig;
}

async function connect({
  mode = { pin: MODERN },
  capabilities = ALL,
  transport = {},
  to = rig,
}: Wish = {}): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, { capabilities, versionNegotiation: { mode } });
  if (capabilities === ALL) answerAll(client);
  open.push(client);
  await client.connect(new StreamableHTTPClientTransport(to.url, transport));
  return client;
}

/** A client with a user called Ann, one root, and a model that repeats its input. */
function answerAll(client: Client): void {
  client.setRequestHandler("sampling/createMessage", ({ params }) => ({
    model: "m",
    role: "assistant",
    content: { type: "text", text: `heard ${JSON.stringify(params.messages[0]?.content)}` },
  }));
  client.setRequestHandler("elicitation/create", ({ params }) => {
    const content: Record<string, string> = params.message.includes("name") ? { name: "Ann" } : { color: "blue" };
    return { action: "accept", content };
  });
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///harbour" }] }));
}

/** The first text of a tool's result. */
async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
  options: Parameters<Client["callTool"]>[1] = {},
): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args }, options);
  return content[0]?.type === "text" ? content[0].text : expect.unreachable();
}

async function stats(client: Client): Promise<Readonly<Record<"started" | "finished" | "cancelled", number>>> {
  return JSON.parse(await call(client, "smoke_stats"));
}

describe.each(ERAS)("through a relay in the %s the SDK's client", (_name, mode, version) => {
  test("lists and calls, one by one and 20 at once, with small and large texts", async () => {
    const client = await connect({ mode });
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("smoke_echo");
    const texts = Array.from({ length: 20 }, (_, at) => `call ${at} 船🚢‍🌊`);
    expect(await Promise.all(texts.map((text) => call(client, "smoke_echo", { text })))).toEqual(texts);
    expect(await call(client, "smoke_echo", { text: "é".repeat(150_000) })).toHaveLength(150_000);
    expect(await call(client, "smoke_big", { bytes: 4_000_000 })).toHaveLength(4_000_000);
  });

  test("reads resources, prompts and completions", async () => {
    const client = await connect({ mode });
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toContain("test://static-text");
    const { contents } = await client.readResource({ uri: "test://template/7/data" });
    expect(contents[0]).toMatchObject({ text: expect.stringContaining('"id":"7"') });
    const { messages } = await client.getPrompt({
      name: "test_prompt_with_arguments",
      arguments: { arg1: "a", arg2: "b" },
    });
    expect(messages[0]?.content).toMatchObject({ text: "Prompt with arguments: arg1='a', arg2='b'" });
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
      argument: { name: "arg1", value: "par" },
    });
    expect(completion.values).toEqual(["paris", "park", "party"]);
  });

  test("gets all progress in order and before the result", async () => {
    const client = await connect({ mode });
    const heard: (number | string)[] = [];
    const onprogress = ({ progress }: { progress: number }): unknown => heard.push(progress);
    heard.push(await call(client, "smoke_long", { steps: 5, delayMs: 5 }, { onprogress }));
    expect(heard).toEqual([1, 2, 3, 4, 5, "finished 5"]);
  });

  test("gets progress during the call, and cancels it in its era's way", async () => {
    const client = await connect({ mode });
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

  test("answers the server's requests for model text, user input and roots, at once and round by round", async () => {
    const client = await connect({ mode });
    expect(await call(client, "test_input_required_result_elicitation")).toBe("Hello, Ann!");
    expect(await call(client, "test_input_required_result_sampling")).toContain("capital of France");
    expect(await call(client, "test_input_required_result_list_roots")).toContain("file:///harbour");
    expect(await call(client, "test_input_required_result_multiple_inputs")).toBe("all received");
    expect(await call(client, "test_input_required_result_request_state")).toBe("state-ok");
    expect(await call(client, "test_input_required_result_multi_round")).toBe("Ann likes blue");
  });
});

describe("through a relay in the 2026 era", () => {
  test("a client that disconnects during a call has cancelled it", async () => {
    const client = await connect();
    const before = await stats(client);
    const leaver = await connect();
    const started = Promise.withResolvers<void>();
    const answer = call(leaver, "smoke_long", { steps: 6000, delayMs: 10 }, { onprogress: () => started.resolve() });
    answer.catch(() => {}); // Its client is gone; what matters is the tool.
    await started.promise;
    await leaver.close();
    await eventually(async () => (await stats(client)).cancelled === before.cancelled + 1, "the tool has stopped");
  });

  test("a call without any output yet is cancelled too", async () => {
    const client = await connect();
    const before = await stats(client);
    const abort = new AbortController();
    // Not yet `expect(…).rejects`: Bun lets nothing below it run before the promise has settled.
    const ending = call(client, "smoke_silent", { ms: 600_000 }, { signal: abort.signal }).catch(String);
    await eventually(async () => (await rig.server.mcpState()).relays_summary.calls_inflight === 1, "it is under way");
    await stats(client); // It came later, so that the other call has come as well.
    abort.abort("enough");
    expect(await ending).toContain("enough");
    await eventually(async () => (await stats(client)).cancelled === before.cancelled + 1, "the tool has stopped");
  });

  test("a subscription gets changes until it is closed", async () => {
    const client = await connect();
    const heard = new Set<string>();
    client.setNotificationHandler("notifications/tools/list_changed", () => void heard.add("tools"));
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.add(params.uri));
    const watched = "test://watched-resource";
    const subscription = await client.listen({ toolsListChanged: true, resourceSubscriptions: [watched] });
    expect(subscription.honoredFilter).toMatchObject({ toolsListChanged: true });
    expect((await rig.server.mcpState()).relays_summary.streams_open).toBe(1);
    await call(client, "test_trigger_tool_change");
    await call(client, "test_trigger_resource_update");
    await eventually(() => heard.size === 2, "both were heard");
    expect([...heard].sort()).toEqual([watched, "tools"]);
    await subscription.close();
    expect(await subscription.closed).toBe("local");
    await eventually(
      async () => (await rig.server.mcpState()).relays_summary.streams_open === 0,
      "the stream is closed",
    );
  });

  test("a parameter is repeated in its header, and a call without that header is refused with the server's own error", async () => {
    const sent: (string | null)[] = [];
    let isHeaderKept = true;
    const client = await connect({
      transport: {
        fetch: (url, init) => {
          const headers = new Headers(init?.headers);
          const region = headers.get("mcp-param-region");
          if (region !== null) sent.push(region);
          if (!isHeaderKept) headers.delete("mcp-param-region");
          return fetch(url, { ...init, headers });
        },
      },
    });
    await client.listTools();
    for (const region of ["eu-west", "Zürich"]) {
      expect(await call(client, "test_x_mcp_header", { region, query: "q" })).toBe(`region=${region} query=q`);
    }
    expect(sent).toHaveLength(2);
    isHeaderKept = false;
    await expect(call(client, "test_x_mcp_header", { region: "eu-west", query: "q" })).rejects.toMatchObject({
      code: -32020,
    });
  });

  test("the server's errors keep their codes and statuses", async () => {
    const statuses: number[] = [];
    const client = await connect({
      capabilities: {},
      transport: {
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          statuses.push(response.status);
          return response;
        },
      },
    });
    statuses.length = 0;
    await expect(call(client, "test_missing_capability")).rejects.toMatchObject({ code: -32021 });
    await expect(client.readResource({ uri: "test://nothing" })).rejects.toMatchObject({ code: -32602 });
    await expect(call(client, "no_such_tool")).rejects.toMatchObject({ code: -32602 });
    expect(statuses).toEqual([400, 200, 200]);
  });

  test("a subscription whose tunnel is cut ends at once, and the next call waits for the relay", async () => {
    const client = await connect();
    const subscription = await client.listen({ toolsListChanged: true });
    await rig.cutTunnel();
    expect(await subscription.closed).toBe("remote");
    const next = call(client, "smoke_echo", { text: "back" });
    rig.mendTunnel();
    expect(await next).toBe("back");
  });
});

test("a relay with a token refuses clients without it and accepts those with it", async () => {
  const guarded = await McpRig.start({ authToken: "open-sesame" });
  const withToken = (token: string): Wish => ({
    to: guarded,
    transport: { authProvider: { token: async () => token } },
  });
  try {
    await expect(connect(withToken("nonsense"))).rejects.toBeInstanceOf(UnauthorizedError);
    await expect(connect({ to: guarded, mode: "auto" })).rejects.toThrow();
    expect(await call(await connect(withToken("open-sesame")), "smoke_echo", { text: "in" })).toBe("in");
  } finally {
    await guarded.stop();
  }
});
