import { isRecord } from "../json/parse.ts";
import { MAX_TEXT_CHARS } from "./names.ts";

// What an MCP server offers, as its relay has read it: the answer to a request of the server's own for `INVENTORY_PATH`. All
// of it comes from an MCP server, so both sides read it with the functions here.

/** The path of the request by which the public server asks a relay for its inventory. No client's request has this path. */
export const INVENTORY_PATH = "/.well-known/moorage-inventory";

/** The most bytes of an inventory as JSON. */
export const MAX_INVENTORY_BYTES = 4 * 1024 * 1024;
/** The most tools, prompts, resources and resource templates, each. */
export const MAX_ITEMS = 1000;
/** The most characters of the name of a tool or prompt: rules and calls cannot name a longer one. */
export const MAX_NAME_CHARS = MAX_TEXT_CHARS;
/** The most characters of a URI or URI template. */
export const MAX_URI_CHARS = 4096;
/** The most characters of a description; the rest is cut. */
export const MAX_DESCRIPTION_CHARS = 8192;
/** The most characters of a tool's schema as JSON; a larger one is left out. */
export const MAX_SCHEMA_CHARS = 64 * 1024;
/** The most levels of nesting in a schema; a deeper one is left out. */
export const MAX_SCHEMA_DEPTH = 64;
/** The most arguments of a prompt. */
const MAX_ARGUMENTS = 100;

export interface InventoryTool {
  /** The exact name, as a call must have it. It may contain any characters. */
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  /** The JSON schema of the arguments; absent where it is missing, too large or nested too deeply. */
  readonly inputSchema?: Readonly<Record<string, unknown>>;
  /** The hints of the specification, as far as the MCP server gives them. They are claims, not promises. */
  readonly annotations?: ToolAnnotations;
}

export interface ToolAnnotations {
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

export interface InventoryPrompt {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly arguments?: readonly InventoryArgument[];
}

export interface InventoryArgument {
  readonly name: string;
  readonly description?: string;
  readonly required?: boolean;
}

export interface InventoryResource {
  readonly uri: string;
  readonly name?: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
}

export interface InventoryTemplate {
  readonly uriTemplate: string;
  readonly name?: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
}

export interface InventoryLists {
  readonly tools: readonly InventoryTool[];
  readonly prompts: readonly InventoryPrompt[];
  readonly resources: readonly InventoryResource[];
  readonly resourceTemplates: readonly InventoryTemplate[];
}

export interface InventoryFacts extends InventoryLists {
  /** What the MCP server calls itself. */
  readonly serverInfo?: { readonly name: string; readonly title?: string; readonly version?: string };
  /** What the MCP server says about its use. */
  readonly instructions?: string;
  /** When the lists were read, in milliseconds since 1970 by the relay's clock. */
  readonly at: number;
  /** Whether a list has more than is here, because it is longer than the limits or could not be read to its end. */
  readonly isCut: boolean;
}

/** Reads an inventory; undefined for anything that is not a map. What has another form or exceeds a limit is left out. */
export function toInventoryFacts(value: unknown): InventoryFacts | undefined {
  if (!isRecord(value)) return undefined;
  const lists = [
    readItems(value["tools"], toTool),
    readItems(value["prompts"], toPrompt),
    readItems(value["resources"], toResource),
    readItems(value["resourceTemplates"], toTemplate),
  ] as const;
  const { at } = value;
  return {
    ...aboutServer(value["serverInfo"], value["instructions"]),
    tools: lists[0].items,
    prompts: lists[1].items,
    resources: lists[2].items,
    resourceTemplates: lists[3].items,
    at: typeof at === "number" && Number.isFinite(at) ? at : 0,
    isCut: value["isCut"] === true || lists.some(({ isCut }) => isCut),
  };
}

/** Reads what an MCP server says about itself. */
export function aboutServer(info: unknown, instructions: unknown): Pick<InventoryFacts, "serverInfo" | "instructions"> {
  const about = text(instructions, MAX_DESCRIPTION_CHARS);
  const name = isRecord(info) ? text(info["name"], MAX_NAME_CHARS) : undefined;
  return {
    ...(isRecord(info) && name !== undefined
      ? { serverInfo: { name, ...texts(info, ["title", "version"], MAX_TEXT_CHARS) } }
      : {}),
    ...(about === undefined ? {} : { instructions: about }),
  };
}

/** Some items of a list, and whether others were left out. */
export interface ItemsReading<T> {
  readonly items: readonly T[];
  readonly isCut: boolean;
}

/** Reads a list with the reader of its items. Items that it cannot read are left out. */
export function readItems<T>(list: unknown, read: (item: unknown) => T | undefined): ItemsReading<T> {
  if (!Array.isArray(list)) return { items: [], isCut: list !== undefined };
  const items: T[] = [];
  for (const each of list.slice(0, MAX_ITEMS)) {
    const item = read(each);
    if (item !== undefined) items.push(item);
  }
  return { items, isCut: items.length < list.length };
}

export function toTool(value: unknown): InventoryTool | undefined {
  if (!isRecord(value)) return undefined;
  const name = exact(value["name"], MAX_NAME_CHARS);
  if (name === undefined) return undefined;
  const annotations = toAnnotations(value["annotations"]);
  const schema = toSchema(value["inputSchema"]);
  // Before 2025-06-18 the title was an annotation.
  const hinted = isRecord(value["annotations"]) ? texts(value["annotations"], ["title"], MAX_TEXT_CHARS) : {};
  return {
    name,
    ...hinted,
    ...shown(value),
    ...(schema === undefined ? {} : { inputSchema: schema }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

export function toPrompt(value: unknown): InventoryPrompt | undefined {
  if (!isRecord(value)) return undefined;
  const name = exact(value["name"], MAX_NAME_CHARS);
  if (name === undefined) return undefined;
  const given = Array.isArray(value["arguments"]) ? value["arguments"].slice(0, MAX_ARGUMENTS) : undefined;
  const read = given?.flatMap((each) => toArgument(each) ?? []);
  return { name, ...shown(value), ...(read === undefined ? {} : { arguments: read }) };
}

export function toResource(value: unknown): InventoryResource | undefined {
  if (!isRecord(value)) return undefined;
  const uri = exact(value["uri"], MAX_URI_CHARS);
  return uri === undefined
    ? undefined
    : { uri, ...texts(value, ["name", "mimeType"], MAX_TEXT_CHARS), ...shown(value) };
}

export function toTemplate(value: unknown): InventoryTemplate | undefined {
  if (!isRecord(value)) return undefined;
  const uriTemplate = exact(value["uriTemplate"], MAX_URI_CHARS);
  if (uriTemplate === undefined) return undefined;
  return { uriTemplate, ...texts(value, ["name", "mimeType"], MAX_TEXT_CHARS), ...shown(value) };
}

function toArgument(value: unknown): InventoryArgument | undefined {
  if (!isRecord(value)) return undefined;
  const name = exact(value["name"], MAX_NAME_CHARS);
  if (name === undefined) return undefined;
  return {
    name,
    ...texts(value, ["description"], MAX_DESCRIPTION_CHARS),
    ...(typeof value["required"] === "boolean" ? { required: value["required"] } : {}),
  };
}

const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;

function toAnnotations(value: unknown): ToolAnnotations | undefined {
  if (!isRecord(value)) return undefined;
  const known = HINTS.flatMap((hint) => (typeof value[hint] === "boolean" ? [[hint, value[hint]] as const] : []));
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function toSchema(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(value) || isDeeper(value, MAX_SCHEMA_DEPTH)) return undefined;
  return JSON.stringify(value).length <= MAX_SCHEMA_CHARS ? value : undefined;
}

/** Returns whether parsed JSON has more levels of nesting. Bun's `JSON.stringify` throws where there are 100,000. */
function isDeeper(value: object, most: number): boolean {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > most) return true;
    const next: object[] = [];
    for (const each of level)
      for (const member of Object.values(each)) if (typeof member === "object" && member !== null) next.push(member);
    level = next;
  }
  return false;
}

function shown(value: Readonly<Record<string, unknown>>): { readonly title?: string; readonly description?: string } {
  return {
    ...texts(value, ["title"], MAX_TEXT_CHARS),
    ...texts(value, ["description"], MAX_DESCRIPTION_CHARS),
  };
}

/** Reads texts that are only shown, each cut at the limit. */
function texts<K extends string>(
  value: Readonly<Record<string, unknown>>,
  names: readonly K[],
  most: number,
): { readonly [N in K]?: string } {
  const found: { [N in K]?: string } = {};
  for (const name of names) {
    const read = text(value[name], most);
    if (read !== undefined) found[name] = read;
  }
  return found;
}

function text(value: unknown, most: number): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, most).toWellFormed() : undefined;
}

/** Reads a text that names something. A cut one would name something else. */
function exact(value: unknown, most: number): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= most ? value : undefined;
}
