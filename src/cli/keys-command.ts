import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCall, AdminCommand } from "./admin-command.ts";
import { CommandFault } from "./command-fault.ts";
import { durationOf, fieldsOf, LIMIT_FLAGS, TERM_FLAGS } from "./key-fields.ts";
import { alreadyText, keyFieldsText, keysTable, limitsTable, timeText } from "./key-output.ts";
import type { Streams } from "./standard-streams.ts";

const IDEMPOTENCY_KEY = {
  "idempotency-key": { value: "text", help: "A name for this request: if it is repeated, it has no further effect." },
} as const;
const ONE_KEY = { min: 1, max: 1 };

const create: AdminAction = {
  usage: "create <name>",
  about:
    "Creates a key and prints it, this one time. Only the key goes to standard output, and everything else to standard error.",
  flags: {
    name: { value: "name", help: "The name, instead of the argument." },
    kind: { value: "kind", help: "client, worker or admin (default: client)." },
    ...TERM_FLAGS,
    ...IDEMPOTENCY_KEY,
  },
  words: { min: 0, max: 1 },
  mayCreate: true,
  async run(call, streams) {
    const name = call.words[0] ?? call.flag("name");
    if (name === undefined) throw new CommandFault("A name is missing: moorage keys create <name>.");
    const kind = call.flag("kind");
    const body = { name, ...(kind !== undefined && { kind }), ...fieldsOf(call.values, false, call.now) };
    const made = await call.client.json("POST", "/api/keys", body, operationOf(call));
    show(made, call, streams, "Created");
    await tellOfNamesakes(made, call, streams);
  },
};

const list: AdminAction = {
  usage: "list",
  about: "Lists valid keys. --all also lists those that have expired or are revoked.",
  flags: {
    all: { help: "List expired and revoked keys, too." },
    kind: { value: "kind", help: "Only client, worker, admin or join." },
    name: { value: "name", help: "Only keys of this name." },
  },
  words: { min: 0, max: 0 },
  async run({ client, flag }, { out, err }) {
    const [kind, name] = [flag("kind"), flag("name")];
    const keys = await client.keys({
      ...(flag("all") === undefined && { status: "active" }),
      ...(kind !== undefined && { kind }),
      ...(name !== undefined && { name }),
    });
    if (flag("json") !== undefined) return out(jsonText({ data: keys }));
    const isFiltered = kind !== undefined || name !== undefined;
    if (keys.length === 0)
      return err(
        isFiltered
          ? `There are no such keys at ${client.place}.\n`
          : `There are no valid keys at ${client.place}. Create one with \`moorage keys create <name>\`.\n`,
      );
    out(keysTable(keys));
  },
};

const showOne: AdminAction = {
  usage: "show <key>",
  about: "Shows what a key allows and how much of it is used. The key is given by its name or its id.",
  flags: {},
  words: ONE_KEY,
  run: async (call, streams) => print(await call.client.json("GET", await pathOf(call)), call, streams),
};

const update: AdminAction = {
  usage: "update <key>",
  about: "Changes what a key allows. The value none removes a field: --models none allows all models.",
  flags: { name: { value: "name", help: "The new name." }, ...TERM_FLAGS },
  words: ONE_KEY,
  async run(call, streams) {
    const name = call.flag("name");
    const body = { ...(name !== undefined && { name }), ...fieldsOf(call.values, true, call.now) };
    if (Object.keys(body).length === 0)
      throw new CommandFault("Give at least one field to change, such as --weight 2.");
    print(await call.client.json("PATCH", await pathOf(call), body), call, streams);
  },
};

const limits: AdminAction = {
  usage: "limits <key>",
  about:
    "Shows the limits of a key and how much of them is used, or sets those that flags give. The value none removes a limit.",
  flags: LIMIT_FLAGS,
  words: ONE_KEY,
  async run(call, { out }) {
    const body = fieldsOf(call.values, true, call.now);
    const path = await pathOf(call);
    const isChange = Object.keys(body).length > 0;
    const key = isChange ? await call.client.json("PATCH", path, body) : await call.client.json("GET", path);
    if (call.flag("json") !== undefined) return out(jsonText({ limits: key["limits"], used: key["used"] }));
    out(limitsTable(key));
  },
};

const revoke: AdminAction = {
  usage: "revoke <key>",
  about: "Revokes a key, immediately and for good. Workers that use it are disconnected.",
  flags: {},
  words: ONE_KEY,
  async run(call, streams) {
    const path = await pathOf(call);
    const before = await call.client.json("GET", path);
    const key = await call.client.json("DELETE", path);
    if (call.flag("json") !== undefined) return streams.out(jsonText(key));
    if (before["status"] === "revoked") return streams.err(`${alreadyText(nameOf(key), key)}\n`);
    streams.err(`Revoked ${nameOf(key)}. Its requests are refused from now on.\n`);
  },
};

const rotate: AdminAction = {
  usage: "rotate <key>",
  about:
    "Gives a key a new secret and prints it, this one time. Both keys are accepted during the overlap; id, limits and usage stay.",
  flags: {
    overlap: {
      value: "duration",
      help: "How long the former key stays valid, such as 48h or 0s (default: 24h).",
    },
    ...IDEMPOTENCY_KEY,
  },
  words: ONE_KEY,
  async run(call, streams) {
    const overlap = call.flag("overlap");
    if (overlap !== undefined) durationOf("overlap", overlap, "48h, 30m or 0s");
    const body = overlap === undefined ? {} : { overlap };
    const path = `${await pathOf(call)}/rotate`;
    show(await call.client.json("POST", path, body, operationOf(call)), call, streams, "Rotated");
  },
};

/** `moorage keys`. */
export const KEYS: AdminCommand = {
  name: "keys",
  about: "creates, lists, changes, rotates and revokes the keys of a server.",
  actions: { create, list, show: showOne, update, limits, revoke, rotate },
};

/** Warns if other valid keys have the name of a new one, because commands then need an id. */
async function tellOfNamesakes({ id, name }: Json, { client }: AdminCall, { err }: Streams): Promise<void> {
  const named = await client.keys({ name: String(name), status: "active" });
  const ids = named.map((each) => String(each["id"])).filter((each) => each !== id);
  if (ids.length === 0) return;
  err(`Other valid keys have the same name: ${ids.join(", ")}. Use their ids from now on.\n`);
}

function operationOf(call: AdminCall): Readonly<Record<string, string>> {
  const name = call.flag("idempotency-key");
  return name === undefined ? {} : { "idempotency-key": name };
}

async function pathOf({ client, words }: AdminCall): Promise<string> {
  return `/api/keys/${encodeURIComponent(await client.keyId(words[0] ?? ""))}`;
}

/** Prints a key that is shown this one time. */
function show(made: Json, call: AdminCall, { out, err }: Streams, did: string): void {
  if (call.flag("json") !== undefined) return out(jsonText(made));
  const former: unknown = Array.isArray(made["former"]) ? made["former"][0] : undefined;
  const until = isRecord(former) ? ` The former key is accepted until ${timeText(former["valid_until"])}.` : "";
  err(`${did} ${nameOf(made)} at ${call.client.place}.${until} The key is shown only once:\n`);
  out(`${String(made["key"])}\n`);
}

function print(key: Json, call: AdminCall, { out }: Streams): void {
  out(call.flag("json") !== undefined ? jsonText(key) : keyFieldsText(key));
}

function nameOf({ name, id, kind }: Json): string {
  return `the ${kind === "client" ? "key" : `${String(kind)} key`} '${String(name)}' (${String(id)})`;
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
