import { afterEach, describe, expect, test } from "bun:test";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import { ask, drop, type Message, messagesOf, open, reading, SESSIONS, say } from "../../support/bridge-client.ts";
import { hubOf, listingServer } from "../../support/hub-rig.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

async function start(servers: Readonly<Record<string, object>>) {
  const hub = hubOf(servers);
  running.push(hub);
  const { id, opening } = await open(hub);
  await say(hub, id, { method: "notifications/initialized" });
  return { hub, id, opening };
}

let requests = 100;
async function result(hub: Bridge, session: string, method: string, params = {}): Promise<Message> {
  requests += 1;
  return (await messagesOf(await say(hub, session, { id: requests, method, params }))).at(-1) ?? {};
}

function namesIn(answer: Message, field: string, key = "name"): readonly string[] {
  const items = answer.result?.[field];
  return Array.isArray(items) ? items.map((item) => item[key]) : [];
}

const TWO = { files: listingServer("files"), "my notes": listingServer("notes") };

describe("a hub", () => {
  test("says what all its servers can do, and whose instructions are whose", async () => {
    const { opening } = await start({ ...TWO, plain: listingServer("plain", "plain") });
    expect(opening?.result).toMatchObject({
      protocolVersion: SESSIONS,
      serverInfo: { name: "team" },
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
      },
    });
    expect(opening?.result?.["instructions"]).toContain("# my_notes\n\nUse notes well.");
  });

  test("lists the tools, prompts and resources of all servers under their names", async () => {
    const { hub, id } = await start(TWO);
    const tools = namesIn(await result(hub, id, "tools/list"), "tools");
    expect(tools).toContain("files__read");
    expect(tools).toContain("my_notes__read");
    expect(namesIn(await result(hub, id, "prompts/list"), "prompts")).toEqual(["files__greet", "my_notes__greet"]);
    expect(namesIn(await result(hub, id, "resources/list"), "resources", "uri")).toEqual([
      "file:///files",
      "file:///notes",
    ]);
  });

  test("passes a call to its server, by that server's own name", async () => {
    const { hub, id } = await start(TWO);
    const params = { name: "my_notes__read", arguments: { text: "a" } };
    expect(await result(hub, id, "tools/call", params)).toMatchObject({
      result: { content: [{ text: 'read of notes: {"text":"a"}' }] },
    });
    expect(await result(hub, id, "prompts/get", { name: "files__greet" })).toMatchObject({
      result: { messages: [{ content: { text: "greet of files" } }] },
    });
  });

  test("answers for a tool that no server has, and passes a server's own error on", async () => {
    const { hub, id } = await start(TWO);
    for (const name of ["read", "files_read", "nobody__read", "__read"]) {
      expect(await result(hub, id, "tools/call", { name })).toMatchObject({ error: { code: -32_602 } });
    }
    expect(await result(hub, id, "tools/call", { name: "files__fail" })).toMatchObject({
      error: { code: -32_001, message: "no files", data: { of: "files" } },
    });
  });

  test("reports progress to the call that asked, under the client's own token", async () => {
    const { hub, id } = await start(TWO);
    const call = (of: string, request: number, progressToken: string): Promise<Response> =>
      say(hub, id, {
        id: request,
        method: "tools/call",
        params: { name: `${of}__progress`, _meta: { progressToken } },
      });
    const [files, notes] = await Promise.all(
      [await call("files", 1, "t"), await call("my_notes", 2, "u")].map(messagesOf),
    );
    expect(files?.slice(0, 2).map(({ params }) => params)).toEqual([
      { progressToken: "t", progress: 1 },
      { progressToken: "t", progress: 2 },
    ]);
    expect(notes?.at(0)?.params).toEqual({ progressToken: "u", progress: 1 });
    expect(notes?.at(-1)).toMatchObject({ id: 2, result: { content: [{ text: "notes" }] } });
  });

  test("tells the right server that a call is cancelled", async () => {
    const { hub, id } = await start(TWO);
    void say(hub, id, { id: "h", method: "tools/call", params: { name: "files__hang" } }).catch(() => {});
    await result(hub, id, "tools/call", { name: "my_notes__read" });
    await say(hub, id, { method: "notifications/cancelled", params: { requestId: "h" } });
    const [files, notes] = await Promise.all(
      ["files", "my_notes"].map(async (of) =>
        JSON.stringify(await result(hub, id, "tools/call", { name: `${of}__seen` })),
      ),
    );
    expect(files).toContain("notifications/cancelled");
    expect(notes).not.toContain("notifications/cancelled");
  });

  test("passes the question of a server to the client, and the answer back to that server", async () => {
    const { hub, id } = await start(TWO);
    const asking = async (of: string, request: number) => {
      const stream = reading(await say(hub, id, { id: request, method: "tools/call", params: { name: `${of}__ask` } }));
      const line = (await stream.until("createMessage")).split("\n").find((each) => each.includes("createMessage"));
      const question: Message = JSON.parse(line?.slice(6) ?? "");
      return { stream, question };
    };
    const files = await asking("files", 1);
    const notes = await asking("my_notes", 2);
    expect(files.question.params).toEqual({ of: "files" });
    expect(notes.question.id).not.toBe(files.question.id);
    for (const { question } of [notes, files]) {
      const headers = { "mcp-session-id": id, "mcp-protocol-version": SESSIONS };
      await ask(hub, "POST", { jsonrpc: "2.0", id: question.id, result: question.params }, { headers });
    }
    expect(await files.stream.until('"content"')).toContain(
      '{\\"name\\":\\"files\\",\\"result\\":{\\"of\\":\\"files\\"}}',
    );
    expect(await notes.stream.until('"content"')).toContain(
      '{\\"name\\":\\"notes\\",\\"result\\":{\\"of\\":\\"notes\\"}}',
    );
  });

  test("loses the part of a server that cannot be started, and nothing else", async () => {
    const { hub, id } = await start({ ...TWO, broken: listingServer("broken", "broken") });
    const tools = namesIn(await result(hub, id, "tools/list"), "tools");
    expect(tools.filter((name) => name.endsWith("__read"))).toEqual(["files__read", "my_notes__read"]);
    expect(await result(hub, id, "tools/call", { name: "broken__read" })).toMatchObject({
      error: { message: "The MCP server broken did not answer: it ended with code 3." },
    });
  });

  test("answers the calls of a server that crashed, and starts it again for the next one", async () => {
    const { hub, id } = await start(TWO);
    expect(await result(hub, id, "tools/call", { name: "files__crash" })).toMatchObject({
      error: { message: "The MCP server files did not answer: it ended with code 3." },
    });
    expect(await result(hub, id, "tools/call", { name: "files__read" })).toMatchObject({ result: {} });
    await drop(hub, id);
  });
});
