import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCall } from "./admin-command.ts";
import { CommandFault } from "./command-fault.ts";
import { durationOf } from "./key-fields.ts";
import { text, timeText } from "./key-output.ts";
import { warnOfMissing } from "./missing-servers.ts";
import { textTable } from "./text-table.ts";

const FILTERS = [
  "limit",
  "after",
  "relay",
  "caller",
  "tenant",
  "name",
  "method",
  "outcome",
  "search",
  "from",
  "until",
] as const;

/** `moorage mcp calls`. */
export const CALLS: AdminAction = {
  usage: "calls",
  about: "Shows the calls of tools, prompts and resources through MCP relays, the newest first.",
  flags: {
    limit: { value: "n", help: "The most calls, up to 1000 (default: 100). With --jsonl, any number (default: all)." },
    after: { value: "place", help: "Where the previous page ended, as its last line says." },
    relay: { value: "id", help: "Only calls of the relay with this id." },
    caller: { value: "caller", help: "Only calls of this caller: its name, or the id of its key." },
    tenant: { value: "tenant", help: "Only calls of callers of this tenant." },
    name: { value: "name", help: "Only calls of this tool, prompt or resource; read_* for all whose names begin so." },
    method: { value: "method", help: "Only calls of this method, such as tools/call." },
    outcome: { value: "outcome", help: "Only completed, error, failed, canceled, denied or refused calls." },
    search: { value: "words", help: "Only calls in which each of these words occurs." },
    since: { value: "duration", help: "Only calls of the time until now, such as 24h or 7d." },
    from: { value: "time", help: "The beginning, instead of --since: 2026-11-01, or an RFC 3339 time." },
    until: { value: "time", help: "The end, which is not included (default: now)." },
    jsonl: { help: "Print all calls as JSON lines, for programs." },
  },
  words: { min: 0, max: 0 },
  async run(call, { out, err }) {
    const { client, flag } = call;
    if (flag("jsonl") !== undefined && flag("json") !== undefined)
      throw new CommandFault("Use --jsonl or --json, and not both.");
    const search = searchOf(call);
    if (flag("jsonl") !== undefined) {
      search.set("format", "jsonl");
      const onHeaders = (headers: Headers): void =>
        warnOfMissing(headers.get("x-moorage-missing-servers")?.split(", "), err);
      return client.stream(`/api/mcp/calls?${search}`, { onHeaders }, out);
    }
    const answer = await client.json("GET", `/api/mcp/calls?${search}`);
    if (flag("json") !== undefined) return out(`${JSON.stringify(answer, undefined, 2)}\n`);
    warnOfMissing(answer["missing_servers"], err);
    const calls = Array.isArray(answer["data"]) ? answer["data"].filter(isRecord) : [];
    if (calls.length === 0) return err(noneText(answer));
    out(callsTable(calls));
    if (answer["has_more"] === true) err(`There are older calls. To see them: --after ${text(answer["next"])}\n`);
  },
};

function searchOf({ flag, now }: AdminCall): URLSearchParams {
  const search = new URLSearchParams();
  for (const name of FILTERS) {
    const value = flag(name);
    if (value !== undefined) search.set(name === "from" ? "since" : name, value);
  }
  const since = flag("since");
  if (since === undefined) return search;
  if (search.has("since")) throw new CommandFault("Use either --since or --from, not both.");
  search.set("since", new Date(now - durationOf("since", since, "7d, 24h or 90m")).toISOString());
  return search;
}

function noneText({ kept }: Json): string {
  return kept === 0 ? "The server keeps no calls: MCP_CALLS_KEPT is 0.\n" : "There are no such calls.\n";
}

function callsTable(calls: readonly Json[]): string {
  const hasServers = calls.some((call) => call["server"] !== undefined);
  const titles = ["AT", "RELAY", "CALLER", "METHOD", "NAME", "OUTCOME", "REASON", "STATUS"];
  const numbers = ["MS", "IN", "OUT"];
  const columns = [
    ...[...(hasServers ? ["SERVER"] : []), ...titles].map((title) => ({ title })),
    ...numbers.map((title) => ({ title, isNumber: true })),
  ];
  const rows = calls.map((call) => [
    ...(hasServers ? [text(call["server"])] : []),
    timeText(call["ended_at"]),
    text(call["relay"]),
    callerText(call),
    text(call["method"]),
    text(call["name"]),
    text(call["outcome"]),
    text(call["reason"] ?? call["rpc_code"]),
    text(call["status"]),
    text(call["duration_ms"]),
    text(call["bytes_in"]),
    text(call["bytes_out"]),
  ]);
  return textTable(columns, rows);
}

/** Names who called: the caller of this server, the program of its key, or the caller of the relay's own list. */
function callerText({ caller, client, relay_caller: named }: Json): string {
  if (typeof named === "string") return `${named} (relay)`;
  return typeof client === "string" ? `${text(caller)} (${client})` : text(caller);
}
