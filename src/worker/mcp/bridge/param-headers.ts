import type { JSONRPCRequest } from "@modelcontextprotocol/server";
import { decodeHeader } from "./standard-headers.ts";

/** An argument that a tool wants to see in a header as well. */
interface Mirrored {
  readonly path: readonly string[];
  readonly header: string;
}

/** Tools that are remembered, and how deep their schemas are looked into: hostile ones have no end. */
const MAX_TOOLS = 10_000;
const MAX_DEPTH = 16;
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/**
 * The tools that want arguments repeated in headers, as far as the lists of tools that passed here told. A client can only
 * know of such a wish from a list as well.
 */
export class ParamHeaders {
  readonly #byTool = new Map<string, readonly Mirrored[]>();

  /** Takes the result of `tools/list`, or anything. */
  learn(result: unknown): void {
    const tools = fieldOf(result, "tools");
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      const name = fieldOf(tool, "name");
      if (typeof name !== "string") continue;
      const mirrored = mirroredIn(fieldOf(tool, "inputSchema"), []);
      if (mirrored.length === 0) this.#byTool.delete(name);
      else if (this.#byTool.size < MAX_TOOLS) this.#byTool.set(name, mirrored);
    }
  }

  /** What is wrong with the headers of a tool's call; undefined for nothing, and for everything that is no such call. */
  fault(headers: Headers, { method, params }: JSONRPCRequest): string | undefined {
    const name = params?.["name"];
    if (method !== "tools/call" || typeof name !== "string") return undefined;
    for (const { path, header } of this.#byTool.get(name) ?? []) {
      const value = path.reduce(fieldOf, params?.["arguments"]);
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") continue;
      const given = headers.get(`mcp-param-${header}`);
      if (given === null) return `the Mcp-Param-${header} header is missing`;
      const decoded = decodeHeader(given);
      if (decoded === undefined) return `the Mcp-Param-${header} header is not well encoded`;
      if (!isSame(value, decoded)) return `the Mcp-Param-${header} header is not the argument`;
    }
    return undefined;
  }
}

function isSame(value: string | number | boolean, text: string): boolean {
  // `42.0` and `42` are one number.
  return typeof value === "number" && NUMBER.test(text) ? Number(text) === value : String(value) === text;
}

/** Only what is reached by properties alone may be mirrored. */
function mirroredIn(schema: unknown, path: readonly string[]): readonly Mirrored[] {
  const header = fieldOf(schema, "x-mcp-header");
  const own = path.length > 0 && typeof header === "string" && TOKEN.test(header) ? [{ path, header }] : [];
  const properties = fieldOf(schema, "properties");
  if (typeof properties !== "object" || properties === null || path.length >= MAX_DEPTH) return own;
  return [...own, ...Object.entries(properties).flatMap(([name, inner]) => mirroredIn(inner, [...path, name]))];
}

function fieldOf(value: unknown, name: string): unknown {
  // An object that has this key of its own.
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
