import { isRecord } from "../json/parse.ts";
import type { AdminClient, Json } from "./admin-client.ts";
import type { AdminAction } from "./admin-command.ts";
import { text, timeText } from "./key-output.ts";
import { textTable } from "./text-table.ts";

const FILTERS = ["relay", "key"] as const;

/** `moorage mcp grants`. */
export const GRANTS: AdminAction = {
  usage: "grants",
  about: "Lists the programs that people have let in to MCP servers, the newest first.",
  flags: {
    relay: { value: "id", help: "Only programs that may use this relay." },
    key: { value: "key", help: "Only programs that the holder of this key has let in, by its id or name." },
  },
  words: { min: 0, max: 0 },
  async run({ client, flag }, { out, err }) {
    const query = new URLSearchParams();
    for (const name of FILTERS) {
      const value = flag(name);
      if (value !== undefined) query.set(name, value);
    }
    const grants = await allGrants(client, query);
    if (flag("json") !== undefined) return out(`${JSON.stringify({ data: grants }, undefined, 2)}\n`);
    if (grants.length === 0) return err(`No program has been let in at ${client.place}.\n`);
    out(grantsTable(grants));
  },
};

/** `moorage mcp revoke`. */
export const REVOKE: AdminAction = {
  usage: "revoke <grant>",
  about: "Ends a program's access and its running calls. <grant> is an id from `moorage mcp grants`.",
  flags: {},
  words: { min: 1, max: 1 },
  async run({ client, words, flag }, { out, err }) {
    const grant = await client.json("DELETE", `/api/mcp/grants/${encodeURIComponent(words[0] ?? "")}`);
    if (flag("json") !== undefined) return out(`${JSON.stringify(grant, undefined, 2)}\n`);
    err(`Ended the access of '${fieldOf(grant["client"], "name")}' to ${text(grant["relay"])}.\n`);
  },
};

async function allGrants(client: AdminClient, query: URLSearchParams): Promise<readonly Json[]> {
  const all: Json[] = [];
  const search = new URLSearchParams(query);
  search.set("limit", "1000");
  for (;;) {
    const { data, has_more: hasMore } = await client.json("GET", `/api/mcp/grants?${search}`);
    const page = Array.isArray(data) ? data.filter(isRecord) : [];
    all.push(...page);
    const last = page.at(-1)?.["id"];
    if (hasMore !== true || typeof last !== "string") return all;
    search.set("after", last);
  }
}

/** Formats a list of grants for people. */
function grantsTable(grants: readonly Json[]): string {
  const titles = ["ID", "PROGRAM", "RELAY", "LET IN BY", "SINCE", "LAST USED", "ENDS IF UNUSED"];
  const rows = grants.map((grant) => [
    text(grant["id"]),
    fieldOf(grant["client"], "name"),
    text(grant["relay"]),
    fieldOf(grant["holder"], "name"),
    timeText(grant["created_at"]),
    timeText(grant["last_used_at"]),
    timeText(grant["expires_at"]),
  ]);
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

function fieldOf(value: unknown, name: string): string {
  return isRecord(value) ? text(value[name]) : "";
}
