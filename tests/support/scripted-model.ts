/** A model server with Anthropic's API whose model calls one tool and then repeats what the tool has said. */
export interface ScriptedModel {
  readonly url: string;
  /** The names of the tools that the last request offered. */
  readonly offered: () => readonly string[];
  stop(): Promise<void>;
}

interface MessagesRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly tools?: readonly { readonly name: string }[];
  readonly messages: readonly {
    readonly content: string | readonly { readonly type: string; readonly content?: unknown }[];
  }[];
}

type Block =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: object };

export function startScriptedModel(tool: string, input: object): ScriptedModel {
  let offered: readonly string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request): Promise<Response> {
      if (new URL(request.url).pathname !== "/v1/messages") return new Response(null, { status: 404 });
      const asked = (await request.json()) as MessagesRequest; // Claude Code is the only client.
      offered = asked.tools?.map(({ name }) => name) ?? [];
      return answer(asked, reply(asked, tool, input));
    },
  });
  return { url: server.url.origin, offered: () => offered, stop: () => server.stop(true) };
}

function reply({ messages, tools }: MessagesRequest, tool: string, input: object): Block {
  const content = messages.at(-1)?.content ?? "";
  const result = typeof content === "string" ? undefined : content.find(({ type }) => type === "tool_result");
  if (result) return { type: "text", text: `The tool said ${JSON.stringify(result.content)}` };
  if (tools?.some(({ name }) => name === tool)) return { type: "tool_use", id: "toolu_1", name: tool, input };
  return { type: "text", text: "There is no such tool." };
}

function answer({ model, stream = false }: MessagesRequest, block: Block): Response {
  const stop_reason = block.type === "tool_use" ? "tool_use" : "end_turn";
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: "msg_1", type: "message", role: "assistant", model, stop_sequence: null, usage };
  if (!stream) return Response.json({ ...message, content: [block], stop_reason });
  const delta =
    block.type === "text"
      ? { type: "text_delta", text: block.text }
      : { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
  const events: readonly (readonly [type: string, data: object])[] = [
    ["message_start", { message: { ...message, content: [], stop_reason: null } }],
    [
      "content_block_start",
      { index: 0, content_block: block.type === "text" ? { ...block, text: "" } : { ...block, input: {} } },
    ],
    ["content_block_delta", { index: 0, delta }],
    ["content_block_stop", { index: 0 }],
    ["message_delta", { delta: { stop_reason, stop_sequence: null }, usage }],
    ["message_stop", {}],
  ];
  const text = events.map(([type, data]) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}
