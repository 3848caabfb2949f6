import { expect, test } from "bun:test";
import type { Backend } from "../../../../src/answering/opening.ts";
import { isRecord, parseJson } from "../../../../src/json/parse.ts";
import { InventoryFault, readInventory } from "../../../../src/worker/mcp/inventory-client.ts";

const OPENED = {
  protocolVersion: "2025-06-18",
  capabilities: { tools: {} },
  serverInfo: { name: "x", version: "1" },
};

test("a reading that is given up ends its session at the server", async () => {
  const late = new AbortController();
  const deletes: boolean[] = [];
  const backend: Backend = {
    open: ({ method }) => ({
      kind: "ask",
      mayFallSilent: false,
      ask: async (body, signal) => {
        if (method === "DELETE") deletes.push(signal.aborted);
        const message = body instanceof Uint8Array ? parseJson(new TextDecoder().decode(body)) : undefined;
        if (!isRecord(message) || message["id"] === undefined) return { status: 202, headers: [], body: null };
        const { id } = message;
        if (message["method"] === "tools/list") {
          late.abort();
          throw signal.reason;
        }
        const isOpening = message["method"] === "initialize";
        const said = isOpening ? { result: OPENED } : { error: { code: -32_601, message: "Method not found" } };
        return {
          status: 200,
          headers: [
            ["content-type", "application/json"],
            ["mcp-session-id", "s1"],
          ],
          body: new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, ...said })),
        };
      },
    }),
  };
  await expect(readInventory(backend, late.signal, 1)).rejects.toThrow(InventoryFault);
  expect(deletes).toEqual([false]);
});
