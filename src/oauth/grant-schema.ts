import * as v from "valibot";

// What the OpenAPI document says about grants. Requests do not use it.

const said = <S extends v.GenericSchema>(schema: S, description: string) => v.pipe(schema, v.description(description));
const time = (description: string) => said(v.nullable(v.string()), description);

const grantFields = {
  id: v.string(),
  client: v.object({
    id: said(v.string(), "A random text, or the URL of a document that describes the program."),
    name: said(v.string(), "What the program calls itself. Nobody has checked it."),
    redirect_host: said(v.nullable(v.string()), "The host to which the program had the code sent."),
  }),
  relay: said(v.string(), "The id of the relay."),
  resource: said(v.string(), "The URL of the relay that the tokens are for."),
  holder: v.object({
    kind: said(v.string(), "`key` or `oidc`: how the person proved who they are."),
    name: said(
      v.string(),
      "The name of the key, or of its caller in logs if it has none; or the user's name at the issuer.",
    ),
    key_id: said(v.nullable(v.string()), "The id of a key that this server has created."),
  }),
  created_at: said(v.string(), "RFC 3339."),
  last_used_at: time("RFC 3339, up to five minutes late; null for a grant that was never used."),
  expires_at: time("When the grant ends unless it is used before; null until the program has taken its first token."),
};

export const grantSchema = said(v.object(grantFields), "The grant.");

export const grantListSchema = said(
  v.object({
    data: v.array(v.object(grantFields)),
    has_more: said(v.boolean(), "Whether there are more grants, which `after` gets."),
    total: said(v.number(), "How many grants match, on all pages."),
  }),
  "Grants, the newest first.",
);
