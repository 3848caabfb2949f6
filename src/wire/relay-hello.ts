import * as v from "valibot";
import { idField, joinIdsField, keyField, kindsField, type Parsed, refusal, type Sent, textField } from "./fields.ts";

/** Who may call a relay: see `Access` of the worker. */
const ACCESSES = ["none", "token", "oauth", "connector"] as const;

/** The fields of the first message. `docs/protocol.md` lists them, which a test ensures. */
export const helloSchema = v.object(
  {
    /** `{id}` of the public URL. */
    id: v.nullish(idField),
    client_name: v.nullish(textField),
    client_key: v.nullish(keyField),
    previous_client_key: v.nullish(keyField),
    join_token: v.nullish(keyField),
    join_proof: v.nullish(keyField),
    join_ids: v.nullish(joinIdsField),
    exchange_kinds: v.nullish(kindsField),
    info: v.nullish(
      v.object(
        {
          version: v.nullish(textField),
          upstream: v.nullish(v.picklist(["http", "sse", "stdio"], "http, sse or stdio")),
          auth: v.nullish(v.picklist(ACCESSES, "none, token, oauth or connector")),
          restricts: v.nullish(v.boolean("true or false")),
        },
        "an object",
      ),
    ),
  },
  "a JSON object",
);
/** The first message of an MCP relay as the server has read it. */
export type RelayHello = v.InferOutput<typeof helloSchema>;
/** The first message of an MCP relay as the relay writes it. */
export type RelayHelloMessage = Sent<v.InferInput<typeof helloSchema>>;

/** Reads the first message of an MCP relay. A refusal names the field and never repeats a value. */
export function parseRelayHello(json: unknown): Parsed<RelayHello> {
  const result = v.safeParse(helloSchema, json);
  return result.success
    ? { ok: true, value: result.output }
    : { ok: false, close: refusal("invalid_hello", "id", result.issues) };
}
