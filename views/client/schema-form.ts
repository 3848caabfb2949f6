// A form for a tool's arguments, made from the tool's schema. Pure. A relay can send any schema, so every part of it is checked.

export type FieldKind = "text" | "number" | "switch" | "choice" | "json";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly description: string;
  readonly isRequired: boolean;
  /** The options of a choice. */
  readonly options: readonly string[];
  /** The initial text. */
  readonly initial: string;
}

/** Most fields that are shown. */
const MAX_FIELDS = 50;

/** Returns the fields of an object schema; none for any other schema. */
export function fieldsOf(schema: unknown): readonly Field[] {
  if (!isRecord(schema) || !isRecord(schema["properties"])) return [];
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  return Object.entries(schema["properties"])
    .slice(0, MAX_FIELDS)
    .map(([name, property]) => fieldOf(name, isRecord(property) ? property : {}, required.includes(name)));
}

/** Returns the arguments for the form's texts, without optional fields that are empty. Throws an `Error` that names the wrong field. */
export function argumentsOf(
  fields: readonly Field[],
  texts: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const args: [string, unknown][] = [];
  for (const field of fields) {
    const text = texts[field.name] ?? "";
    if (text === "" && !field.isRequired) continue;
    if (text === "" && field.kind !== "text") throw new Error(`“${field.name}” is required.`);
    args.push([field.name, parsed(field, text)]);
  }
  return Object.fromEntries(args);
}

function fieldOf(name: string, property: Readonly<Record<string, unknown>>, isRequired: boolean): Field {
  const { description, type, default: initial } = property;
  const values = Array.isArray(property["enum"]) ? property["enum"] : [];
  const options = values.filter((value) => typeof value === "string");
  const kind = options.length > 0 && options.length === values.length ? "choice" : (KINDS[String(type)] ?? "json");
  return {
    name,
    kind,
    description: typeof description === "string" ? description : "",
    isRequired,
    options,
    initial: initial === undefined ? "" : typeof initial === "string" ? initial : JSON.stringify(initial),
  };
}

const KINDS: Readonly<Record<string, FieldKind>> = {
  string: "text",
  number: "number",
  integer: "number",
  boolean: "switch",
};

function parsed({ name, kind }: Field, text: string): unknown {
  switch (kind) {
    case "text":
    case "choice":
      return text;
    case "switch":
      return text === "true";
    case "number": {
      const value = Number(text);
      if (!Number.isFinite(value)) throw new Error(`“${name}” must be a number.`);
      return value;
    }
    case "json":
      try {
        return JSON.parse(text);
      } catch {
        throw new Error(`“${name}” takes JSON.`);
      }
    default:
      return kind satisfies never;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
