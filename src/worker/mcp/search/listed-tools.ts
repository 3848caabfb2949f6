import type { Answer, Opening } from "../../../answering/opening.ts";
import { isRecord, parseJson } from "../../../json/parse.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import type { Listed } from "./found-tools.ts";

/** The most pages of a list that are read, and the most tools. */
const MAX_PAGES = 100;
const MAX_TOOLS = 20_000;

/** A request for a list of tools, in the words of the caller who wants to search. */
export interface ListRequest {
  readonly head: RequestHead;
  /** The metadata of the caller's own request, which revisions without sessions need. */
  readonly meta: Readonly<Record<string, unknown>> | undefined;
  readonly signal: AbortSignal;
}

/** The list, or what was answered in its place. */
export type ListedTools = { readonly tools: readonly Listed[] } | { readonly answer: Answer };

/** Reads all pages of the tools that a caller may use. */
export async function listTools(
  open: (head: RequestHead) => Opening,
  { head, meta, signal }: ListRequest,
  newId: () => string,
): Promise<ListedTools> {
  const tools: Listed[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page += 1) {
    const id = newId();
    const params = { ...(cursor === undefined ? {} : { cursor }), ...(meta === undefined ? {} : { _meta: meta }) };
    const opening = open(withMethod(head, "tools/list"));
    if (opening.kind !== "ask") throw new Error("the caller is not let in any more");
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list", params }));
    const answer = await opening.ask(body, signal);
    const { text, message } = await responseIn(answer, id);
    const result = isRecord(message) ? message["result"] : undefined;
    if (!isRecord(result) || !Array.isArray(result["tools"])) return { answer: { ...answer, body: text } };
    tools.push(...result["tools"].filter(isRecord));
    const next = result["nextCursor"];
    if (typeof next !== "string") break;
    cursor = next;
  }
  return { tools };
}

/** Returns a head for another method, which revisions without sessions repeat in headers. */
export function withMethod(
  head: RequestHead,
  method: string,
  named: Readonly<Record<string, string>> = {},
): RequestHead {
  const isStated = head.headers.some(([name]) => name.toLowerCase() === "mcp-method");
  const kept = head.headers.filter(([name]) => !/^(?:mcp-method|mcp-name|mcp-param-.*|content-length)$/i.test(name));
  const own: [string, string][] = isStated ? [["mcp-method", method], ...Object.entries(named)] : [];
  return { ...head, headers: [...kept, ...own] };
}

/** Reads an answer to its end. The response in it may be the last of several events. */
export async function responseIn(
  { headers, body }: Answer,
  id: unknown,
): Promise<{ readonly text: Uint8Array; readonly message: unknown }> {
  // The type asks for a view of plain memory, and answers have only these.
  const text = new Uint8Array(
    await new Response(body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null).arrayBuffer(),
  );
  const said = new TextDecoder().decode(text);
  const isEvents = headers.some(
    ([name, value]) => name.toLowerCase() === "content-type" && value.startsWith("text/event-stream"),
  );
  if (!isEvents) return { text, message: parseJson(said) };
  const messages = said.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [parseJson(line.slice(5))] : []));
  return { text, message: messages.find((each) => isRecord(each) && each["id"] === id && !("method" in each)) };
}
