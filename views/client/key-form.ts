import type { KeyView } from "../../src/admin/key-view.ts";
import { emptyLimits, isLimit, LIMITS, type LimitForm, limitsOf } from "./limit-form.ts";
import { isMcp, MCP, type McpForm, mcpOf, toMcpField } from "./mcp-form.ts";

// The fields of the form for a key, and the requests that they stand for. All functions are pure.

/** The fields as they are typed. An empty one is not set. */
export interface KeyForm extends LimitForm, McpForm {
  kind: KeyView["kind"];
  name: string;
  tenant: string;
  models: string;
  class: string;
  weight: string;
  user_header: string;
  prefer: string;
  tenants: string;
  max_slots: string;
  max_uses: string;
  /** `never`, a number of days, or `at` for the time in `expires_at`. */
  expires: string;
  /** A time in the viewer's zone, as the field for times writes it. */
  expires_at: string;
}

/** The fields that a kind of key has, besides its name and its end. */
const FIELDS: Readonly<Record<KeyView["kind"], readonly (keyof KeyForm)[]>> = {
  client: ["tenant", "models", "class", "weight", "user_header", "prefer", ...MCP, ...LIMITS],
  worker: ["models", "tenants", "max_slots"],
  join: ["models", "tenants", "max_slots", "max_uses"],
  admin: [],
};

/** Returns the form for a new key. */
export function emptyForm(): KeyForm {
  return {
    kind: "client",
    name: "",
    tenant: "",
    models: "",
    class: "",
    weight: "",
    user_header: "",
    prefer: "",
    tenants: "",
    max_slots: "",
    max_uses: "",
    expires: "never",
    expires_at: "",
    ...mcpOf(null),
    ...emptyLimits(),
  };
}

/** Returns the form with what a key allows now. */
export function formOf(key: KeyView): KeyForm {
  return {
    ...emptyForm(),
    ...limitsOf(key.limits),
    ...mcpOf(key.mcp),
    kind: key.kind,
    name: key.name,
    tenant: key.tenant === "default" ? "" : key.tenant,
    models: (key.models ?? []).join(", "),
    class: key.class === "normal" ? "" : key.class,
    weight: key.weight === 1 ? "" : String(key.weight),
    user_header: key.user_header ?? "",
    prefer: key.prefer ?? "",
    tenants: (key.tenants ?? []).join(", "),
    max_slots: String(key.max_slots ?? ""),
    max_uses: String(key.max_uses ?? ""),
    expires: key.expires_at === null ? "never" : "at",
    expires_at: key.expires_at === null ? "" : toLocal(key.expires_at),
  };
}

/** Whether keys of the form's kind have a field. */
export function hasField({ kind }: Pick<KeyForm, "kind">, field: keyof KeyForm): boolean {
  return FIELDS[kind].includes(field);
}

type Body = Record<string, unknown>;
type Nested = Body & { limits?: Body; mcp?: Body };

/** Returns the request for a new key. `now` is in milliseconds since 1970. */
export function toSpec(form: KeyForm, now: number): Body {
  const { expires_at, limits, mcp, ...rest } = toBody(form, ["name", "expires", ...FIELDS[form.kind]], now);
  const set = Object.entries({ expires_at, ...rest }).filter(([, value]) => value !== null && value !== undefined);
  const setLimits = Object.entries(limits ?? {}).filter(([, value]) => value !== null);
  const setMcp = Object.entries(mcp ?? {}).filter(([, value]) => value !== null);
  return {
    kind: form.kind,
    ...Object.fromEntries(set),
    ...(setLimits.length > 0 && { limits: Object.fromEntries(setLimits) }),
    ...(setMcp.length > 0 && { mcp: Object.fromEntries(setMcp) }),
  };
}

/** Returns the request that changes a key from what one form says to what the other one says. */
export function toPatch(form: KeyForm, before: KeyForm, now: number): Body {
  const fields: readonly (keyof KeyForm)[] = ["name", "expires", "expires_at", ...FIELDS[form.kind]];
  const changed = fields.filter((field) => form[field].trim() !== before[field].trim());
  // A time that is not chosen says nothing.
  return toBody(
    form,
    changed.filter((field) => field !== "expires_at" || form.expires === "at"),
    now,
  );
}

/** Returns the fields as the server takes them; null for one that is empty. */
function toBody(form: KeyForm, fields: readonly (keyof KeyForm)[], now: number): Nested {
  const body: Nested = {};
  for (const field of fields) {
    const typed = form[field].trim();
    if (field === "expires" || field === "expires_at") body["expires_at"] = endOf(form, now);
    else if (isLimit(field)) body.limits = { ...body.limits, [field]: typed === "" ? null : typed };
    else if (isMcp(field)) {
      const [name, value] = toMcpField(field, typed);
      body.mcp = { ...body.mcp, [name]: value };
    } else if (typed === "" && field !== "name") body[field] = null;
    else if (field === "models" || field === "tenants") body[field] = wordsIn(typed, field === "models");
    else if (field === "weight") body[field] = Number(typed.replace(",", "."));
    else body[field] = typed;
  }
  return body;
}

/** Splits a list. Names of models have no blanks, and names of tenants may have some. */
function wordsIn(text: string, isSplitAtBlanks: boolean): readonly string[] {
  return text
    .split(isSplitAtBlanks ? /[\s,]+/ : /[,\n]+/)
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

const DAY_MS = 86_400_000;

function endOf({ expires, expires_at: at }: KeyForm, now: number): string | null {
  if (expires === "never") return null;
  if (expires !== "at") return new Date(now + Number(expires) * DAY_MS).toISOString();
  const time = Date.parse(at);
  // The server says what is wrong with a time that is none.
  return Number.isNaN(time) ? at : new Date(time).toISOString();
}

/** Writes a time in the viewer's zone, as fields for times take it. */
function toLocal(time: string): string {
  const at = new Date(time);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
