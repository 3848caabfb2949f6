import { isRecord } from "../json/parse.ts";
import { cleanText } from "./clean-text.ts";
import { isExchangeKind, isId, MAX_MODEL_CHARS, MAX_TEXT_CHARS } from "./names.ts";

// What servers of one cluster add to the heads of requests and responses between them. Workers never see it, and members of
// these names in a worker's head are ignored.

/** A job that a server asks another one to serve with its own workers. */
export interface PeerOrder {
  /** The plugin whose workers may serve it. */
  readonly plugin: string;
  /** The model, by an id that workers of the other server offer. Empty for a plugin without models. */
  readonly model: string;
  /** The name by which the body calls the model, if the worker must use another one than `model`. */
  readonly sent_as?: string;
  /** Whether only exactly this model may serve it, and no stand-in. */
  readonly exact: boolean;
  /** The only worker that may serve it. */
  readonly worker?: string;
  /** The ids of the sessions that must not serve it, because they have failed the job. At most 16. */
  readonly excluded?: readonly string[];
  /** The request's id, for the log. */
  readonly request_id: string;
  /** The number under which the server that asks will report what the worker has done; no two of its orders have the same. */
  readonly ref?: number;
  /** The name of the caller, for the log and the dashboard. */
  readonly caller?: string;
  /** The caller's tenant, and its weight above 0, if they are not the usual ones. */
  readonly tenant?: string;
  readonly weight?: number;
  /** The urgency of the job. */
  readonly class?: PeerClass;
  /** A digest that identifies the person behind the caller. */
  readonly end_user?: string;
  /** The slot that the other server has offered for this job. */
  readonly slot?: string;
  /**
   * The sessions that probably have a part of the prompt in their caches, each with the size of that part from 0 to 1. At
   * most 8.
   */
  readonly warm?: readonly (readonly [session: string, share: number])[];
  /** The call, where the worker is the relay of an MCP server. */
  readonly call?: PeerCall;
}

/** What kind of call it is, for counts, because the other server does not look into bodies. */
export interface PeerCall {
  /** A method of the specification, an HTTP method, or `other`. */
  readonly method: string;
  /** The function that it calls. */
  readonly name?: string;
  /** Whether it only listens, so that its answer has no end of its own. */
  readonly listens: boolean;
}

const CLASSES = ["interactive", "normal", "background"] as const;
export type PeerClass = (typeof CLASSES)[number];

/** The worker that serves an exchange, as its server tells the server that asked. */
export interface ServingWorker {
  readonly id: string;
  readonly name: string;
  /** The id of its session, which begins with the id of its server. */
  readonly session: string;
}

/** The most sessions that one order excludes. A job has three attempts, so an honest server names no more than a few. */
const MAX_EXCLUDED = 16;
const MAX_WARM = 8;
const MAX_WEIGHT = 10_000;

/** Reads the order in a request's head; undefined for anything else. */
export function toPeerOrder(value: unknown): PeerOrder | undefined {
  if (!isRecord(value)) return undefined;
  const { plugin, model, sent_as, exact, worker, excluded, request_id, ref, caller, end_user, slot, warm } = value;
  const { tenant, weight } = value;
  const call = toPeerCall(value["call"]);
  if (typeof plugin !== "string" || !isExchangeKind(plugin)) return undefined;
  if (!isText(model, MAX_MODEL_CHARS) || !isOptional(sent_as, MAX_MODEL_CHARS)) return undefined;
  if (typeof exact !== "boolean" || !isText(request_id, MAX_TEXT_CHARS)) return undefined;
  if (worker !== undefined && !(typeof worker === "string" && isId(worker))) return undefined;
  if (!isOptional(caller, MAX_TEXT_CHARS) || !isOptional(end_user, MAX_TEXT_CHARS)) return undefined;
  if (!isOptional(slot, MAX_TEXT_CHARS) || !isOptional(tenant, MAX_TEXT_CHARS)) return undefined;
  if (weight !== undefined && !(typeof weight === "number" && weight > 0 && weight <= MAX_WEIGHT)) return undefined;
  if (ref !== undefined && !(typeof ref === "number" && Number.isSafeInteger(ref) && ref >= 0)) return undefined;
  if (excluded !== undefined && !isListOf(excluded, MAX_EXCLUDED, isSessionId)) return undefined;
  if (warm !== undefined && !isListOf(warm, MAX_WARM, isWarm)) return undefined;
  // A class that only a newer version knows is ignored.
  const urgency = CLASSES.find((known) => known === value["class"]);
  // A spread for each field would cost more than all checks together.
  const order: Writable<PeerOrder> = { plugin, model, exact, request_id };
  if (sent_as !== undefined) order.sent_as = sent_as;
  if (worker !== undefined) order.worker = worker;
  if (excluded !== undefined) order.excluded = excluded;
  if (ref !== undefined) order.ref = ref;
  if (caller !== undefined) order.caller = caller;
  if (tenant !== undefined) order.tenant = tenant;
  if (weight !== undefined) order.weight = weight;
  if (urgency !== undefined) order.class = urgency;
  if (end_user !== undefined) order.end_user = end_user;
  if (slot !== undefined) order.slot = slot;
  if (warm !== undefined) order.warm = warm;
  if (call !== undefined) order.call = call;
  return order;
}

/** An order while it is read. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the call of an order; undefined for anything else. It is for counts only, so the order is valid without it. */
function toPeerCall(value: unknown): PeerCall | undefined {
  if (!isRecord(value)) return undefined;
  const { method, name, listens } = value;
  if (!isText(method, MAX_TEXT_CHARS) || !isOptional(name, MAX_TEXT_CHARS)) return undefined;
  return { method, ...(name === undefined ? {} : { name }), listens: listens === true };
}

/** Reads the worker in a response's head, or in a RESET; undefined for anything else. */
export function toServingWorker(value: unknown): ServingWorker | undefined {
  if (!isRecord(value)) return undefined;
  const { id, name, session } = value;
  if (typeof id !== "string" || !isId(id) || !isText(name, MAX_TEXT_CHARS) || !isSessionId(session)) return undefined;
  return { id, name: cleanText(name), session };
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most;
}

function isOptional(value: unknown, most: number): value is string | undefined {
  return value === undefined || isText(value, most);
}

function isListOf<T>(value: unknown, most: number, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.length <= most && value.every(isItem);
}

function isSessionId(value: unknown): value is string {
  return isText(value, MAX_TEXT_CHARS) && value !== "";
}

function isWarm(value: unknown): value is readonly [session: string, share: number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [session, share] = value;
  return isSessionId(session) && typeof share === "number" && share >= 0 && share <= 1;
}
