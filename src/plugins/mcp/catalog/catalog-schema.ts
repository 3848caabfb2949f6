import * as v from "valibot";
import { READY_CLIENTS } from "./ready-lines.ts";

// The answers of the catalogue in the API's description. Nothing here runs for a request.

const about = <S extends v.GenericSchema>(schema: S, description: string) => v.pipe(schema, v.description(description));
const text = (description: string) => about(v.nullable(v.string()), description);
const anything = v.record(v.string(), v.any());

const lineSchema = v.object({
  client: v.picklist(READY_CLIENTS),
  title: v.string(),
  place: about(v.string(), "A shell, a file, or the place in the client where the text is typed in."),
  text: text("What to copy; null where the client cannot use the relay. It never has a token in it."),
  note: text("What else to do, or why the client cannot use the relay."),
});

const relayFields = {
  id: v.string(),
  name: about(v.string(), "What the relay's owner calls it."),
  url: text("The URL by which the caller of this request knows the relay; null if this server's name is not known."),
  access: text("Who may call: `none`, `token`, `oauth` or `connector`; null if the relay does not say."),
  status: about(v.picklist(["ready", "broken", "drained"]), "Whether its MCP server works, as far as is known."),
  status_reason: text("Why the MCP server is broken. For operators."),
  ready_lines: about(v.array(lineSchema), "How to use the relay in each client."),
  server: about(v.optional(v.nullable(v.string())), "In a cluster, the server that has the relay. For operators."),
  upstream: about(v.optional(v.nullable(v.string())), "`http`, `sse` or `stdio`. For operators."),
  version: about(v.optional(v.nullable(v.string())), "The version of the relay's program. For operators."),
  restricts: about(v.optional(v.boolean()), "Whether it can restrict callers to some tools. For operators."),
  connected_at: about(v.optional(v.string()), "RFC 3339. For operators."),
  tenants: about(v.optional(v.nullable(v.array(v.string()))), "The only tenants that it serves. For operators."),
  keys: about(
    v.optional(
      v.array(
        v.object({
          id: v.string(),
          name: v.string(),
          rules: about(v.nullable(anything), "What the key may use; null for everything."),
        }),
      ),
    ),
    "The first 100 made keys that may call a relay with `connector` access. For operators.",
  ),
  keys_total: about(v.optional(v.number()), "How many such keys there are. For operators."),
};

export const listSchema = v.object({
  data: v.array(v.object(relayFields)),
  has_more: v.boolean(),
  next: text("What `after` is for the next page; null if there is none."),
  missing_servers: about(v.array(v.string()), "In a cluster, the servers that have not told their relays."),
});

export const relaySchema = v.object({
  ...relayFields,
  inventory: v.object({
    told: about(v.boolean(), "Whether the relay has told what its MCP server offers."),
    why: text("Why it has not."),
    read_at: text("When the relay read the lists. It reads them again after a minute."),
    is_cut: about(v.boolean(), "Whether a list has more than is here."),
    server_info: about(v.nullable(anything), "What the MCP server calls itself."),
    instructions: text("What the MCP server says about its use."),
    tools: about(v.array(anything), "As MCP has them: `name`, `title`, `description`, `inputSchema`, `annotations`."),
    prompts: v.array(anything),
    resources: v.array(anything),
    resource_templates: v.array(anything),
  }),
});
