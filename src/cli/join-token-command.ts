import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCall, AdminCommand } from "./admin-command.ts";
import { CommandFault } from "./command-fault.ts";
import { durationOf, fieldsOf, TERM_FLAGS } from "./key-fields.ts";
import { alreadyText, text, timeText, usesText } from "./key-output.ts";
import { textTable } from "./text-table.ts";

const USUAL_NAME = "join token";
const USUAL_USES = "1";
const USUAL_TTL = "1h";
/** The value of a flag that sets no bound. */
const NONE = "none";

const create: AdminAction = {
  usage: "create [name]",
  about:
    "Creates a join token and prints it, this one time. Standard output gets the token alone, and standard error everything else.",
  flags: {
    models: { value: "globs", help: "Models that the workers may serve, comma-separated: llama* (default: all)." },
    tenants: TERM_FLAGS.tenants,
    "max-slots": { value: "n", help: "The most slots of each worker." },
    uses: { value: "n", help: `How many workers may join with it (default: ${USUAL_USES}). ${NONE} sets no limit.` },
    ttl: { value: "duration", help: `How long it is valid (default: ${USUAL_TTL}). ${NONE}: until it is revoked.` },
    "idempotency-key": {
      value: "text",
      help: "A name for this request, so that repeating it creates nothing more.",
    },
  },
  words: { min: 0, max: 1 },
  mayCreate: true,
  async run(call, { out, err }) {
    const { client, flag, words, values, now } = call;
    const uses = flag("uses") ?? USUAL_USES;
    const body = {
      name: words[0] ?? USUAL_NAME,
      kind: "join",
      ...fieldsOf(values, false, now),
      ...(uses !== NONE && { max_uses: uses }),
      ...endOf(call),
    };
    const name = flag("idempotency-key");
    const headers: Readonly<Record<string, string>> = name === undefined ? {} : { "idempotency-key": name };
    const made = await client.json("POST", "/api/keys", body, headers);
    if (flag("json") !== undefined) return out(jsonText(made));
    const until =
      typeof made["expires_at"] === "string" ? `until ${timeText(made["expires_at"])}` : "until it is revoked";
    const count = uses === NONE ? "any number of workers" : uses === "1" ? "one worker" : `${uses} workers`;
    const server = client.address ?? "https://YOUR-SERVER";
    err(`Created the join token '${text(made["name"])}' (${text(made["id"])}) at ${client.place}. It lets ${count} in, ${until}.
On the worker's machine: moorage worker llm --server ${server} --join TOKEN
It is shown only this once:
`);
    out(`${text(made["key"])}\n`);
  },
};

const list: AdminAction = {
  usage: "list",
  about: "Lists join tokens that let workers in. --all also lists those that are used up, expired or revoked.",
  flags: { all: { help: "List used-up, expired and revoked tokens, too." } },
  words: { min: 0, max: 0 },
  async run({ client, flag }, { out, err }) {
    const tokens = await client.keys({ kind: "join", ...(flag("all") === undefined && { status: "active" }) });
    if (flag("json") !== undefined) return out(jsonText({ data: tokens }));
    if (tokens.length === 0)
      return err(`There are no ${flag("all") === undefined ? "valid " : ""}join tokens at ${client.place}.\n`);
    out(tokensTable(tokens));
  },
};

const revoke: AdminAction = {
  usage: "revoke <token>",
  about:
    "Ends a join token immediately. The workers that have joined with it stay: revoke their keys with `moorage keys`.",
  flags: {},
  words: { min: 1, max: 1 },
  async run({ client, words, flag }, { out, err }) {
    const id = await client.keyId(words[0] ?? "", "join");
    const token = await client.json("GET", `/api/keys/${encodeURIComponent(id)}`);
    if (token["kind"] !== "join") throw new CommandFault("That is a key. Revoke it with `moorage keys revoke`.");
    const revoked = await client.json("DELETE", `/api/keys/${encodeURIComponent(id)}`);
    if (flag("json") !== undefined) return out(jsonText(revoked));
    if (token["status"] === "revoked") {
      const what = `the join token '${text(token["name"])}' (${text(token["id"])})`;
      return err(`${alreadyText(what, revoked)}\n`);
    }
    err(`Revoked the join token '${text(revoked["name"])}' (${text(revoked["id"])}). It lets no worker in any more.\n`);
  },
};

/** `moorage join-token`. */
export const JOIN_TOKEN: AdminCommand = {
  name: "join-token",
  about: "creates, lists and revokes the tokens with which workers join a server.",
  actions: { create, list, revoke },
};

function endOf({ flag, now }: AdminCall): { readonly expires_at?: string } {
  const ttl = flag("ttl") ?? USUAL_TTL;
  if (ttl === NONE) return {};
  return { expires_at: new Date(now + durationOf("ttl", ttl, `1h, 30m or 7d, or ${NONE}`)).toISOString() };
}

function tokensTable(tokens: readonly Json[]): string {
  const titles = ["ID", "NAME", "STATUS", "USES", "MODELS", "TENANTS", "EXPIRES"];
  const rows = tokens.map((token) => [
    text(token["id"]),
    text(token["name"]),
    text(token["status"]),
    usesText(token),
    namesText(token["models"]),
    namesText(token["tenants"]),
    timeText(token["expires_at"]),
  ]);
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

function namesText(names: unknown): string {
  return Array.isArray(names) ? names.map(text).join(",") : "all";
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
