import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCall, AdminCommand, Streams } from "./admin-command.ts";
import { CommandFault } from "./command-fault.ts";
import { durationOf, fieldsOf, LIMIT_FLAGS, TERM_FLAGS } from "./key-fields.ts";
import { keyFieldsText, keysTable, limitsTable } from "./key-output.ts";

const IDEMPOTENCY_KEY = {
  "idempotency-key": { value: "text", help: "A name for this request, so that a repetition of it makes nothing more." },
} as const;
const ONE_KEY = { min: 1, max: 1 };

const create: AdminAction = {
  usage: "create <name>",
  about:
    "Makes a key and prints it, this one time. The key alone goes to standard output, and what else there is to say to standard error.",
  flags: {
    name: { value: "name", help: "The name, in place of the word." },
    kind: { value: "kind", help: "client, worker or admin; client unless given." },
    ...TERM_FLAGS,
    ...IDEMPOTENCY_KEY,
  },
  words: { min: 0, max: 1 },
  mayCreate: true,
  async run(call, streams) {
    const name = call.words[0] ?? call.flag("name");
    if (name === undefined) throw new CommandFault("Say what the key is called: moorage keys create <name>.");
    const kind = call.flag("kind");
    const body = { name, ...(kind !== undefined && { kind }), ...fieldsOf(call.values, false, call.now) };
    const made = await call.client.json("POST", "/api/keys", body, operationOf(call));
    show(made, call, streams, "Made");
    await tellOfNamesakes(made, call, streams);
  },
};

const list: AdminAction = {
  usage: "list",
  about: "Lists keys that are valid. --all adds those that are expired or revoked.",
  flags: {
    all: { help: "List keys that have ended as well." },
    kind: { value: "kind", help: "Only client, worker or admin." },
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
    if (keys.length === 0) return err(`There are no such keys at ${client.place}.\n`);
    out(keysTable(keys));
  },
};

const showOne: AdminAction = {
  usage: "show <key>",
  about: "Shows what a key allows and what was used. The key is named by its id or by its name.",
  flags: {},
  words: ONE_KEY,
  run: async (call, streams) => print(await call.client.json("GET", await pathOf(call)), call, streams),
};

const update: AdminAction = {
  usage: "update <key>",
  about: "Changes what a key allows. The value none takes a field away: --models none allows all models.",
  flags: { name: { value: "name", help: "Another name." }, ...TERM_FLAGS },
  words: ONE_KEY,
  async run(call, streams) {
    const name = call.flag("name");
    const body = { ...(name !== undefined && { name }), ...fieldsOf(call.values, true, call.now) };
    if (Object.keys(body).length === 0)
      throw new CommandFault("Name at least one field to change, such as --weight 2.");
    print(await call.client.json("PATCH", await pathOf(call), body), call, streams);
  },
};

const limits: AdminAction = {
  usage: "limits <key>",
  about:
    "Shows the limits of a key with what was used of them, or sets those that flags name. The value none takes one away.",
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
  about: "Ends a key at once and for good. Workers that use it are disconnected.",
  flags: {},
  words: ONE_KEY,
  async run(call, streams) {
    const key = await call.client.json("DELETE", await pathOf(call));
    if (call.flag("json") !== undefined) return streams.out(jsonText(key));
    streams.err(`Revoked ${nameOf(key)}. Requests with it are refused from now on.\n`);
  },
};

const rotate: AdminAction = {
  usage: "rotate <key>",
  about:
    "Gives a key another secret and prints it, this one time. Both are accepted during the overlap; id, limits and usage stay.",
  flags: {
    overlap: {
      value: "duration",
      help: "How long the former secret is accepted as well: 48h, 0s. 24 hours unless given.",
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
  about: "makes, lists, changes, rotates and revokes the keys of a server.",
  actions: { create, list, show: showOne, update, limits, revoke, rotate },
};

/** Says so if other valid keys have the name of a new one, because from then on commands need an id. */
async function tellOfNamesakes({ id, name }: Json, { client }: AdminCall, { err }: Streams): Promise<void> {
  const named = await client.keys({ name: String(name), status: "active" });
  const ids = named.map((each) => String(each["id"])).filter((each) => each !== id);
  if (ids.length === 0) return;
  err(`Other valid keys have the same name: ${ids.join(", ")}. Name each of them by its id from now on.\n`);
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
  const until = isRecord(former) ? ` The former one is accepted until ${String(former["valid_until"])}.` : "";
  err(`${did} ${nameOf(made)} at ${call.client.place}.${until} It is shown only this once:\n`);
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
