import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";

test("the durations of MCP calls do not include streams that only listen", async () => {
  const server = new McpServer({ confirmTimeoutMs: 100 });
  const relay = await server.relay();
  const counted = async (): Promise<string | undefined> => {
    const text = await (await server.fetch("/metrics")).text();
    return /^moorage_job_duration_seconds_count\{plugin="mcp".*\} (\d+)$/m.exec(text)?.[1];
  };
  const answer = server.rpc({ jsonrpc: "2.0", id: 1, method: "ping" });
  relay.answerJson((await relay.request()).id, {});
  await (await answer).text();
  expect(await counted()).toBe("1");

  const listening = await (async () => {
    const stream = server.call("GET", { headers: { accept: "text/event-stream" } });
    const { id } = await relay.request();
    relay.head(id);
    relay.data(id, ": hello\n\n");
    return await stream;
  })();
  await listening.body?.cancel();
  const ended = async (): Promise<boolean> => (await server.mcpState()).relays[0]?.streams_open === 0;
  await eventually(ended, "the stream has ended");
  expect(await counted()).toBe("1");
  await server.stop();
});
