import { expect, test } from "bun:test";
import { silentLog } from "../../../../src/system/log.ts";
import { Endpoint } from "../../../../src/worker/mcp/endpoint.ts";
import { createHttpUpstream } from "../../../../src/worker/mcp/http-upstream.ts";

test.each([
  ["POST", 1],
  ["GET", 2],
  ["DELETE", 2],
])("a %s whose connection is closed without an answer reaches the MCP server %d time(s)", async (method, times) => {
  let asked = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        asked += 1;
        socket.end();
      },
    },
  });
  const upstream = createHttpUpstream(new Endpoint({ url: `http://127.0.0.1:${listener.port}/mcp`, log: silentLog }));
  const opening = upstream.open({ method, path: "/", headers: [] });
  if (opening.kind !== "ask") throw new Error(`opened as ${opening.kind}`);
  const body = method === "POST" ? new TextEncoder().encode("{}") : undefined;
  await expect(opening.ask(body, new AbortController().signal)).rejects.toThrow("closed");
  expect(asked).toBe(times);
  listener.stop(true);
});
