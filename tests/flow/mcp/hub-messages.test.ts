import { afterEach, describe, expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { fetchFrom } from "../../../src/worker/mcp/hub/backend-fetch.ts";
import { eventually } from "../../support/eventually.ts";
import { hubOf, listingServer } from "../../support/hub-rig.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Connects the SDK's client to a hub in this process. */
async function connect(servers: Readonly<Record<string, object>>): Promise<Client> {
  const hub = hubOf(servers);
  running.push(hub);
  const client = new Client({ name: "test", version: "1" }, { capabilities: { roots: { listChanged: true } } });
  const transport = new StreamableHTTPClientTransport(new URL("http://hub.invalid/mcp"), { fetch: fetchFrom(hub) });
  // The SDK's class says `sessionId?: string | undefined` where its interface says `sessionId?: string`.
  await client.connect(transport as Transport);
  running.push({ stop: () => client.close() });
  return client;
}

function texts(result: unknown): string {
  return JSON.stringify((result as { content?: unknown }).content); // what a tool's result has
}

const TWO = { files: listingServer("files"), notes: listingServer("notes") };

describe("behind one URL", () => {
  test("changed lists, changed resources and log messages reach the client, and say whose they are", async () => {
    const client = await connect(TWO);
    const heard: unknown[] = [];
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push("tools"));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.push(params.uri));
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.logger));
    await client.subscribeResource({ uri: "file:///notes" });
    await client.setLoggingLevel("info");
    await client.callTool({ name: "notes__log" });
    await eventually(async () => {
      await client.callTool({ name: "notes__change" });
      return ["notes", "tools", "file:///notes"].every((each) => heard.includes(each));
    }, "the client has heard of everything");
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("notes__grown");
  });

  test("a subscription, a level and changed roots reach the servers that they concern", async () => {
    const client = await connect(TWO);
    await client.listResources();
    await client.subscribeResource({ uri: "file:///notes" });
    await client.setLoggingLevel("error");
    await client.sendRootsListChanged();
    const [files, notes] = await Promise.all(
      ["files__seen", "notes__seen"].map(async (name) => texts(await client.callTool({ name }))),
    );
    expect(notes).toContain("resources/subscribe");
    expect(files).not.toContain("resources/subscribe");
    for (const seen of [files, notes]) {
      expect(seen).toContain("logging/setLevel");
      expect(seen).toContain("notifications/roots/list_changed");
    }
  });

  test("resources are read from the server that has them: listed, of a template, or neither", async () => {
    const client = await connect(TWO);
    const read = async (uri: string): Promise<unknown> => (await client.readResource({ uri })).contents;
    // Nothing has been listed yet.
    expect(await read("file:///notes")).toEqual([{ uri: "file:///notes", text: "text of notes" }]);
    await client.listResources();
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(["files://{path}", "notes://{path}"]);
    expect(await read("file:///files")).toEqual([{ uri: "file:///files", text: "text of files" }]);
    expect(await read("notes://a/b")).toEqual([{ uri: "notes://a/b", text: "text of notes" }]);
    await expect(read("file:///nobody")).rejects.toThrow("Resource not found");
  });

  test("two servers with one URI have two resources", async () => {
    const client = await connect({
      files: listingServer("files", "uri=file:///same"),
      notes: listingServer("notes", "uri=file:///same"),
    });
    const uris = (await client.listResources()).resources.map(({ uri }) => uri);
    expect(uris).toEqual(["file:///same", "moorage:notes:file:///same"]);
    for (const [at, uri] of uris.entries()) {
      const { contents } = await client.readResource({ uri });
      expect(contents).toEqual([{ uri, text: `text of ${at === 0 ? "files" : "notes"}` }]);
    }
    // A link in a result names the resource as the list does.
    expect(texts(await client.callTool({ name: "notes__link" }))).toContain('"moorage:notes:file:///same"');
    // No other resource has a second name.
    await expect(client.readResource({ uri: "moorage:files:file:///same" })).rejects.toThrow();
  });

  test("completions come from the server whose prompt or template they are for", async () => {
    const client = await connect(TWO);
    const complete = async (ref: { type: "ref/prompt"; name: string } | { type: "ref/resource"; uri: string }) =>
      (await client.complete({ ref, argument: { name: "a", value: "" } })).completion.values[0];
    expect(await complete({ type: "ref/prompt", name: "notes__greet" })).toBe(
      'notes: {"type":"ref/prompt","name":"greet"}',
    );
    await client.listResourceTemplates();
    expect(await complete({ type: "ref/resource", uri: "files://{path}" })).toStartWith("files: ");
  });

  test("lists with pages continue at the servers that have more", async () => {
    const client = await connect({ files: listingServer("files", "paged"), notes: listingServer("notes") });
    const first = await client.listTools();
    const names: string[] = first.tools.map(({ name }) => name);
    let cursor = first.nextCursor;
    while (cursor !== undefined) {
      const page = await client.listTools({ cursor });
      expect(page.tools.every(({ name }) => name.startsWith("files__"))).toBe(true);
      names.push(...page.tools.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    expect(names.filter((name) => name.startsWith("files__"))).toHaveLength(9);
    expect(names.filter((name) => name.startsWith("notes__"))).toHaveLength(9);
    await expect(client.listTools({ cursor: "nonsense" })).rejects.toThrow("cursor");
  });

  test("long names are shortened, and still reach their tool", async () => {
    const key = "a server with a name of its own";
    const client = await connect({
      [key]: listingServer("files", "tools=1"),
      notes: listingServer("notes", `long=${"x".repeat(60)}`),
    });
    const { tools } = await client.listTools();
    const long = tools.map(({ name }) => name).find((name) => name.startsWith("notes__xxx")) ?? "";
    expect(long).toHaveLength(64);
    expect(texts(await client.callTool({ name: long }))).toContain("xxx of notes");
    expect(tools.every(({ name }) => /^[A-Za-z0-9_-]{1,64}$/.test(name))).toBe(true);
    const other = await connect({ notes: listingServer("notes", `long=${"x".repeat(60)}`) });
    // Without a list first.
    expect(texts(await other.callTool({ name: long }))).toContain("xxx of notes");
    await expect(other.callTool({ name: `notes__${"x".repeat(60)}` })).rejects.toThrow("Unknown tool");
  });
});
