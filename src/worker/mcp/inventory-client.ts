import type { Client } from "@modelcontextprotocol/client";
import * as v from "valibot";
import type { Answer, Backend } from "../../answering/opening.ts";
import { VERSION } from "../../system/version.ts";
import type { HeaderPairs } from "../../wire/heads.ts";
import {
  aboutServer,
  type InventoryFacts,
  type ItemsReading,
  MAX_INVENTORY_BYTES,
  MAX_ITEMS,
  readItems,
  toPrompt,
  toResource,
  toTemplate,
  toTool,
} from "../../wire/mcp-inventory.ts";

/** The most pages of one list. A server whose cursors never end would be asked for ever. */
const MAX_PAGES = 100;
/** How long the MCP server may take to end the session. */
const LEAVE_MS = 2000;
/** Never called: requests go to the backend. The official client needs some URL. */
const NOWHERE = new URL("http://mcp.invalid/");

/** Why an MCP server's lists could not be read. The message is for people and names no address. */
export class InventoryFault extends Error {
  override readonly name = "InventoryFault";
}

/**
 * Reads the lists of the MCP server behind a backend as a client of it, in the newest era that it speaks. Rejects with an
 * `InventoryFault` if the server cannot be asked, or gives no list of its tools; another list that cannot be read is cut.
 */
export async function readInventory(backend: Backend, signal: AbortSignal, now: number): Promise<InventoryFacts> {
  // Most workers never need it, and it takes a moment to load.
  const sdk = await import("@modelcontextprotocol/client");
  const limit = new AbortController();
  const either = AbortSignal.any([signal, limit.signal]);
  const transport = new sdk.StreamableHTTPClientTransport(NOWHERE, {
    fetch: backendFetch(backend, either, () => limit.abort()),
  });
  const client = new sdk.Client(
    { name: "moorage", version: VERSION },
    { capabilities: {}, versionNegotiation: { mode: "auto" } },
  );
  try {
    await client.connect(transport, { signal: either });
    return await readLists(client, either, now);
  } catch {
    // What the library says may contain what the server said.
    throw new InventoryFault(whyNot(signal, limit.signal));
  } finally {
    // Its process would otherwise run until the session is idle for long.
    await transport.terminateSession().catch(() => {});
    await client.close().catch(() => {});
  }
}

function whyNot(late: AbortSignal, large: AbortSignal): string {
  if (large.aborted) return `The MCP server's lists have more than ${MAX_INVENTORY_BYTES} bytes.`;
  if (late.aborted) return "The MCP server did not list its tools in time.";
  return "The MCP server does not list its tools.";
}

async function readLists(client: Client, signal: AbortSignal, now: number): Promise<InventoryFacts> {
  const { tools, prompts, resources } = client.getServerCapabilities() ?? {};
  const list = <T>(kind: ListKind, has: unknown, read: (item: unknown) => T | undefined) =>
    has === undefined ? NOTHING : readPages(client, { kind, signal, read });
  const optional = <T>(...of: Parameters<typeof list<T>>) => list(...of).catch(() => CUT);
  const lists = [
    await list("tools", tools, toTool),
    await optional("prompts", prompts, toPrompt),
    await optional("resources", resources, toResource),
    await optional("resourceTemplates", resources, toTemplate),
  ] as const;
  return {
    ...aboutServer(client.getServerVersion(), client.getInstructions()),
    tools: lists[0].items,
    prompts: lists[1].items,
    resources: lists[2].items,
    resourceTemplates: lists[3].items,
    at: now,
    isCut: lists.some(({ isCut }) => isCut),
  };
}

const NOTHING: Promise<ItemsReading<never>> = Promise.resolve({ items: [], isCut: false });
const CUT: ItemsReading<never> = { items: [], isCut: true };

const METHODS = {
  tools: "tools/list",
  prompts: "prompts/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
} as const;

type ListKind = keyof typeof METHODS;

/** The library's own schemas refuse a whole list for one item, and compile schemas for tools that are never called. */
const pageSchema = v.looseObject({ nextCursor: v.optional(v.string()) });

interface PagesReading<T> {
  readonly kind: ListKind;
  readonly signal: AbortSignal;
  readonly read: (item: unknown) => T | undefined;
}

async function readPages<T>(client: Client, { kind, signal, read }: PagesReading<T>): Promise<ItemsReading<T>> {
  const items: T[] = [];
  let isCut = false;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    const result = await client.request({ method: METHODS[kind], params }, pageSchema, { signal });
    const reading = readItems(result[kind] ?? null, read);
    items.push(...reading.items.slice(0, MAX_ITEMS - items.length));
    isCut ||= reading.isCut;
    if (items.length >= MAX_ITEMS && (reading.items.length > 0 || result.nextCursor !== undefined)) {
      return { items, isCut: isCut || result.nextCursor !== undefined };
    }
    if (result.nextCursor === undefined || result.nextCursor === cursor) return { items, isCut };
    cursor = result.nextCursor;
  }
  return { items, isCut: true };
}

/** A `fetch` that asks a backend. All its answers together may have `MAX_INVENTORY_BYTES`; a larger one calls `onLarge`. */
function backendFetch(backend: Backend, signal: AbortSignal, onLarge: () => void) {
  let bytes = 0;
  return async (_url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const method = init.method ?? "GET";
    // The stream for messages that no request waits for.
    if (method === "GET") return new Response(null, { status: 405 });
    const headers: HeaderPairs = [...new Headers(init.headers)];
    const opening = backend.open({ method, path: "/", headers });
    if (opening.kind === "refuse") throw new InventoryFault(opening.message);
    if (opening.kind === "answer") return Response.json(opening.body, { status: opening.status });
    const body = typeof init.body === "string" ? new TextEncoder().encode(init.body) : undefined;
    // The session must also end after a reading that was given up, when both signals are aborted.
    const ended =
      init.method === "DELETE"
        ? AbortSignal.timeout(LEAVE_MS)
        : init.signal
          ? AbortSignal.any([signal, init.signal])
          : signal;
    const answer = await opening.ask(body, ended);
    return toResponse(answer, (piece) => {
      bytes += piece;
      if (bytes > MAX_INVENTORY_BYTES) onLarge();
      return bytes <= MAX_INVENTORY_BYTES;
    });
  };
}

/** Returns the answer as a response. `takes` is told the size of each piece of its body, and says whether to go on. */
function toResponse({ status, headers, body }: Answer, takes: (bytes: number) => boolean): Response {
  const mutable = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
  if (body === null || status === 204 || status === 205 || status === 304)
    return new Response(null, { status, headers: mutable });
  const stream = body instanceof ReadableStream ? body : new Blob([Uint8Array.from(body)]).stream();
  const counted = stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        if (takes(piece.length)) controller.enqueue(piece);
        else controller.error(new InventoryFault("too large"));
      },
    }),
  );
  return new Response(counted, { status, headers: mutable });
}
