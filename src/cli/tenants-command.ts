import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCommand } from "./admin-command.ts";
import { fieldsOf, LIMIT_FLAGS } from "./key-fields.ts";
import { limitsTable, tenantsTable } from "./key-output.ts";

const ONE_TENANT = { min: 1, max: 1 };

const list: AdminAction = {
  usage: "list",
  about: "Lists the tenants whose keys share limits, and how much of them is used.",
  flags: {},
  words: { min: 0, max: 0 },
  async run({ client, flag }, { out, err }) {
    const tenants = await client.tenants();
    if (flag("json") !== undefined) return out(jsonText({ data: tenants }));
    if (tenants.length === 0) return err(`No tenant has limits at ${client.place}.\n`);
    out(tenantsTable(tenants));
  },
};

const limits: AdminAction = {
  usage: "limits <tenant>",
  about:
    "Shows the limits that all keys of a tenant share and how much of them is used, or sets those that flags give. The value none removes a limit.",
  flags: LIMIT_FLAGS,
  words: ONE_TENANT,
  mayCreate: true,
  async run({ client, words, values, now, flag }, { out }) {
    const [name = ""] = words;
    const path = pathOf(name);
    const given = fieldsOf(values, true, now);
    const changes = "limits" in given && isRecord(given.limits) ? given.limits : {};
    const known = await client.tenants();
    const before = known.find((tenant) => tenant["name"] === name.trim().normalize("NFC")) ?? NO_TENANT;
    const tenant = Object.keys(changes).length === 0 ? before : await change(before, changes);
    if (flag("json") !== undefined) return out(jsonText({ limits: tenant["limits"], used: tenant["used"] }));
    out(limitsTable(tenant));

    /** Changes some limits and keeps the others. A tenant without any limit is not kept. */
    async function change({ limits: old }: Json, changed: Json): Promise<Json> {
      const all = { ...(isRecord(old) ? old : {}), ...changed };
      const left = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
      const isEmpty = Object.keys(left).every((limit) => MANNERS.includes(limit));
      if (!isEmpty) return client.json("PUT", path, { limits: left });
      if (before !== NO_TENANT) await client.json("DELETE", path);
      return NO_TENANT;
    }
  },
};

const remove: AdminAction = {
  usage: "remove <tenant>",
  about: "Removes all limits of a tenant. Its keys keep their own limits.",
  flags: {},
  words: ONE_TENANT,
  async run({ client, words, flag }, { out, err }) {
    const tenant = await client.json("DELETE", pathOf(words[0] ?? ""));
    if (flag("json") !== undefined) return out(jsonText(tenant));
    err(`Removed the limits of the tenant '${String(tenant["name"])}'.\n`);
  },
};

/** `moorage tenants`. */
export const TENANTS: AdminCommand = {
  name: "tenants",
  about: "shows and sets the limits that all keys of a tenant share.",
  actions: { list, limits, remove },
};

/** The limits that bound nothing by themselves. */
const MANNERS = ["timezone", "on_limit"];
const NO_TENANT: Json = { limits: {}, used: [] };

function pathOf(name: string): string {
  return `/api/tenants/${encodeURIComponent(name)}`;
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
