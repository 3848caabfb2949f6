import type { JSONRPCRequest } from "@modelcontextprotocol/server";
import { decodeHeader, encodeHeader } from "./standard-headers.ts";

/** A tool's argument that must be repeated in a header. */
interface Mirrored {
  readonly path: readonly string[];
  readonly header: string;
}

/** Limits of tools remembered and of the depth of their schemas: a hostile server's have no end. */
const MAX_TOOLS = 10_000;
const MAX_DEPTH = 16;
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/**
 * The tools whose arguments must be repeated in headers, learned from the lists of tools that passed through. Clients learn
 * it from the same lists.
 */
export class ParamHeaders {
  readonly #byTool = new Map<string, readonly Mirrored[]>();

  /** Learns from a result of `tools/list`; ignores anything else. */
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

  /** Returns the headers that a tool's call has to have, for a server that is called in a client's place. */
  headersOf({ method, params }: JSONRPCRequest): Readonly<Record<string, string>> {
    const name = params?.["name"];
    if (method !== "tools/call" || typeof name !== "string") return {};
    const headers = (this.#byTool.get(name) ?? []).flatMap(({ path, header }): [string, string][] => {
      const value = path.reduce(fieldOf, params?.["arguments"]);
      return isMirrored(value) ? [[`mcp-param-${header}`, encodeHeader(String(value))]] : [];
    });
    return Object.fromEntries(headers);
  }

  /** Returns what is wrong with the headers of a tool's call; undefined for nothing, and for any other request. */
  fault(headers: Headers, { method, params }: JSONRPCRequest): string | undefined {
    const name = params?.["name"];
    if (method !== "tools/call" || typeof name !== "string") return undefined;
    for (const { path, header } of this.#byTool.get(name) ?? []) {
      const value = path.reduce(fieldOf, params?.["arguments"]);
      if (!isMirrored(value)) continue;
      const given = headers.get(`mcp-param-${header}`);
      if (given === null) return `the Mcp-Param-${header} header is missing`;
      const decoded = decodeHeader(given);
      if (decoded === undefined) return `the Mcp-Param-${header} header is not well encoded`;
      if (!isSame(value, decoded)) return `the Mcp-Param-${header} header is not the argument`;
    }
    return undefined;
  }
}

function isMirrored(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isSame(value: string | number | boolean, text: string): boolean {
  // `42.0` and `42` are the same number.
  return typeof value === "number" && NUMBER.test(text) ? Number(text) === value : String(value) === text;
}

/** Returns the mirrored arguments of a schema. Only those reached through properties alone may be mirrored. */
function mirroredIn(schema: unknown, path: readonly string[]): readonly Mirrored[] {
  const header = fieldOf(schema, "x-mcp-header");
  const own = path.length > 0 && typeof header === "string" && TOKEN.test(header) ? [{ path, header }] : [];
  const properties = fieldOf(schema, "properties");
  if (typeof properties !== "object" || properties === null || path.length >= MAX_DEPTH) return own;
  return [...own, ...Object.entries(properties).flatMap(([name, inner]) => mirroredIn(inner, [...path, name]))];
}

function fieldOf(value: unknown, name: string): unknown {
  // Object.hasOwn has found the key.
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
