import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { ERRORS, type ErrorCode, Fault } from "../errors.ts";

// The parts with which routes describe themselves in the OpenAPI document. None of it runs for a request, except a schema
// that Elysia validates with.

type AnySchema = v.GenericSchema<unknown, unknown>;

/** A JSON Schema in the form of OpenAPI 3.0. */
export interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** The `detail.security` of routes that take an API key. Public routes have `[]`. */
export const API_KEY_SECURITY: Record<string, string[]>[] = [{ ApiKey: [] }, { ApiKeyHeader: [] }];

/** The same for the State API and its actions: an operator's key, or a sign-in to the dashboard. */
export const STATE_SECURITY: Record<string, string[]>[] = [{ AdminKey: [] }, { AdminKeyHeader: [] }, { Session: [] }];

/** One answer in a route's `detail.responses`. */
export interface AnswerDoc {
  description: string;
  content?: Record<string, { schema: SchemaObject; example?: unknown; examples?: Record<string, { value: unknown }> }>;
  headers?: Record<string, { description: string; schema: SchemaObject }>;
}

/** The parts of the document that routes refer to by `$ref`. */
export const SHARED_SCHEMAS: Readonly<Record<string, SchemaObject>> = {
  Error: schemaOf(
    v.pipe(
      v.object({
        error: v.object({
          message: v.pipe(v.string(), v.description("For people. Never parse it.")),
          type: v.picklist([...new Set(Object.values(ERRORS).map((rule) => rule.type))]),
          param: v.pipe(v.nullable(v.string()), v.description("The field of the request that is wrong.")),
          code: v.pipe(v.string(), v.description("For programs: one of the codes in docs/errors.md.")),
        }),
      }),
      v.description("An error of this server. Errors of a worker's model server are passed on unchanged."),
    ),
  ),
};

/**
 * A valibot schema that also reads as JSON Schema: Elysia validates with it as before, and the document shows it.
 * `input` describes what is sent to this server, `output` what it answers. Routes with `parse: "none"` are documented
 * by it and not validated: they check their bodies themselves.
 */
export function doc<S extends AnySchema>(schema: S, mode: "input" | "output" = "input"): S {
  const json = { ...schemaOf(schema, mode) };
  // Elysia validates with this property. It is not enumerable, so the document does not contain it.
  Object.defineProperty(json, "~standard", { value: schema["~standard"], enumerable: false });
  // The value is no longer S, but it has the only part of S that Elysia's types and validation use: `~standard`.
  return json as unknown as S;
}

/** Documents a parameter of the query, for a route's `detail.parameters`. */
export function queryParameter(name: string, description: string, type: "string" | "integer" = "string") {
  return { name, in: "query", schema: { type }, description } as const;
}

/** Converts a schema to the document's form. */
export function schemaOf(schema: AnySchema, mode: "input" | "output" = "output"): SchemaObject {
  // Checks that JSON Schema cannot express are left out instead of refused.
  const { $schema: _, ...json } = toJsonSchema(schema as v.GenericSchema, {
    typeMode: mode,
    errorMode: "ignore",
    target: "openapi-3.0",
  });
  return tidy(json) as SchemaObject; // an object goes in, so one comes out
}

/** Documents an answer with a JSON body. The description is the schema's unless given. */
export function jsonAnswer(schema: AnySchema, description?: string): AnswerDoc {
  const json = schemaOf(schema, "output");
  return {
    description: description ?? (typeof json["description"] === "string" ? json["description"] : "The answer."),
    content: { "application/json": { schema: json } },
  };
}

/** Documents an answer that is text or bytes of a media type, such as an event stream. */
export function rawAnswer(mediaType: string, description: string, example?: string): AnswerDoc {
  const isText = /^text\/|[/+](?:json|xml)$/.test(mediaType);
  const schema = isText ? { type: "string" } : { type: "string", format: "binary" };
  return { description, content: { [mediaType]: { schema, ...(example === undefined ? {} : { example }) } } };
}

/** The form in which a group of routes sends errors. */
export interface ErrorForm {
  readonly schema: SchemaObject;
  readonly example: (fault: Fault) => unknown;
}

const OPENAI_ERRORS: ErrorForm = {
  schema: { $ref: "#/components/schemas/Error" },
  example: (fault) => fault.body(),
};

/**
 * Documents the answers for these codes, by status, for a route's `detail.responses`. Codes with one status share an
 * answer.
 */
export function errorResponses(...codes: readonly ErrorCode[]): Record<string, AnswerDoc> {
  return errorResponsesIn(OPENAI_ERRORS, codes);
}

/** Documents the same for routes whose errors have another form than `Error`. */
export function errorResponsesIn(form: ErrorForm, codes: readonly ErrorCode[]): Record<string, AnswerDoc> {
  const answers: Record<string, AnswerDoc> = {};
  for (const [status, group] of Map.groupBy(codes, (code) => ERRORS[code].status)) {
    const examples = Object.fromEntries(group.map((code) => [code, { value: form.example(new Fault(code)) }]));
    const canWait = group.some(
      (code) => ERRORS[code].retryable && (ERRORS[code].status === 429 || ERRORS[code].status === 503),
    );
    answers[String(status)] = {
      description: group.map((code) => `\`${code}\`: ${asMarkdown(ERRORS[code].message)}`).join("\n\n"),
      content: { "application/json": { schema: form.schema, examples } },
      ...(canWait ? { headers: { "Retry-After": RETRY_AFTER } } : {}),
    };
  }
  return answers;
}

/** Escapes what Markdown would read as an HTML element, such as a placeholder in angle brackets. */
function asMarkdown(text: string): string {
  return text.replaceAll("<", "&lt;");
}

const RETRY_AFTER = {
  description: "Seconds until another try makes sense.",
  schema: { type: "integer", minimum: 1, maximum: 60 },
};

/**
 * Makes the converter's output valid OpenAPI 3.0, which wants one `example` per schema, a `type` beside every `enum` and
 * `nullable`, and no empty `required`.
 */
function tidy(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(tidy);
  if (typeof node !== "object" || node === null) return node;
  const tidied: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "examples" && Array.isArray(value)) tidied["example"] = value[0];
    else if (key === "required" && Array.isArray(value) && value.length === 0) continue;
    else tidied[key] = tidy(value);
  }
  const { enum: values, anyOf } = tidied;
  if (Array.isArray(values) && tidied["type"] === undefined) {
    const types = new Set(values.filter((value) => value !== null).map((value) => typeof value));
    if (types.size === 1) tidied["type"] = [...types][0];
  }
  if (tidied["nullable"] === true && tidied["type"] === undefined && Array.isArray(anyOf)) {
    delete tidied["nullable"];
    tidied["anyOf"] = anyOf.map((each: object) => ("type" in each ? { ...each, nullable: true } : each));
  }
  return tidied;
}
