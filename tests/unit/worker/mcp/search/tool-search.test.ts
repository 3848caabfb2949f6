import { expect, test } from "bun:test";
import type { Answer, Backend } from "../../../../../src/answering/opening.ts";
import { isRecord, parseJson } from "../../../../../src/json/parse.ts";
import { systemIds } from "../../../../../src/system/ids.ts";
import { MAX_MESSAGE_BYTES } from "../../../../../src/worker/mcp/bridge/peer.ts";
import { withToolSearch } from "../../../../../src/worker/mcp/search/tool-search.ts";

const ERROR = { code: -32_603, message: "The MCP server files did not answer." };

/** Asks for the list of tools with the id 7. `list` answers the search's own request. */
async function listOf(list: (id: string) => Omit<Answer, "metered">): Promise<{ answer: Answer; said: unknown }> {
  const backend: Backend = {
    open: () => ({
      kind: "ask",
      mayFallSilent: false,
      ask: async (body) => {
        const request = body instanceof Uint8Array ? parseJson(new TextDecoder().decode(body)) : undefined;
        return list(String(isRecord(request) ? request["id"] : undefined));
      },
    }),
  };
  const search = withToolSearch(backend, { mostListed: 0, ids: systemIds });
  const opening = search.open({ method: "POST", path: "/", headers: [["content-type", "application/json"]] });
  if (opening.kind !== "ask") throw new Error(opening.kind);
  const request = JSON.stringify({ jsonrpc: "2.0", id: 7, method: "tools/list" });
  const answer = await opening.ask(new TextEncoder().encode(request), new AbortController().signal);
  return {
    answer,
    said: parseJson(
      await new Response(answer.body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null).text(),
    ),
  };
}

test("the error of a list that comes as an event, after a while, is one of the caller's request", async () => {
  const { answer, said } = await listOf((id) => ({
    status: 200,
    headers: [["Content-Type", "text/event-stream; charset=utf-8"]],
    body: new TextEncoder().encode(`: \n\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, error: ERROR })}\n\n`),
    called: { caller: "ann" },
  }));
  expect(said).toEqual({ jsonrpc: "2.0", id: 7, error: ERROR });
  expect(answer.called).toEqual({ caller: "ann" });
});

test("the error of a list keeps its status", async () => {
  const { answer, said } = await listOf((id) => ({
    status: 400,
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, error: ERROR })),
  }));
  expect(answer.status).toBe(400);
  expect(said).toEqual({ jsonrpc: "2.0", id: 7, error: ERROR });
});

test("a list that never ends is not read to its end", async () => {
  let bytes = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      bytes += 1_000_000;
      if (bytes > 2 * MAX_MESSAGE_BYTES) controller.error(new Error("it was read too far"));
      else controller.enqueue(new Uint8Array(1_000_000));
    },
  });
  const { said } = await listOf(() => ({ status: 200, headers: [["content-type", "application/json"]], body }));
  expect(said).toMatchObject({ id: 7, error: { message: "The list of tools is too large." } });
});
