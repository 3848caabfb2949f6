import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import type { AdminAction, AdminCall, AdminCommand } from "./admin-command.ts";
import { CommandFault } from "./command-fault.ts";
import { durationOf } from "./key-fields.ts";
import { text, timeText } from "./key-output.ts";
import { warnOfMissing } from "./missing-servers.ts";
import { textTable } from "./text-table.ts";

const AMOUNTS = {
  requests: "REQUESTS",
  failures: "FAILURES",
  input_tokens: "INPUT",
  cached_tokens: "CACHED",
  output_tokens: "OUTPUT",
  audio_seconds: "AUDIO S",
  estimated: "ESTIMATED",
} as const;
const DIMENSIONS: Readonly<Record<string, string>> = { key: "KEY", model: "MODEL", end_user: "END USER" };

const usage: AdminAction = {
  usage: "",
  about: "Shows usage by key, or by what --by names. Without --step, all periods are added up.",
  flags: {
    by: { value: "list", help: "What to group by, comma separated: key, model, end_user (default: key)." },
    since: { value: "duration", help: "The time until now, such as 24h or 7d (default: 30d)." },
    from: { value: "time", help: "The beginning, instead of --since: 2026-11-01, or an RFC 3339 time." },
    to: { value: "time", help: "The end, which is not included (default: now)." },
    step: { value: "step", help: "minute, hour or day: print a row for each period." },
    key: { value: "key", help: "Only the usage of this key, by its id or its name." },
    model: { value: "model", help: "Only the usage of this model." },
    csv: { help: "Print CSV, with a row for each period." },
  },
  words: { min: 0, max: 0 },
  async run(call, { out, err }) {
    const { client, flag } = call;
    if (flag("csv") !== undefined && flag("json") !== undefined)
      throw new CommandFault("Use --csv or --json, and not both.");
    const by = flag("by") ?? "key";
    const path = `/api/usage?${await searchOf(call, by)}`;
    if (flag("csv") !== undefined) {
      const onHeaders = (headers: Headers): void =>
        warnOfMissing(headers.get("x-moorage-missing-servers")?.split(", "), err);
      return out(await client.text("GET", path, { headers: { accept: "text/csv" }, onHeaders }));
    }
    const answer = await client.json("GET", path);
    warnOfMissing(answer["missing_servers"], err);
    if (flag("json") !== undefined) return out(`${JSON.stringify(answer, undefined, 2)}\n`);
    const rows = Array.isArray(answer["rows"]) ? answer["rows"].filter(isRecord) : [];
    if (rows.length === 0) return err(`There is no usage since ${timeText(answer["from"])}.\n`);
    out(usageTable(rows, by.split(","), flag("step") !== undefined));
  },
};

/** `moorage usage`. */
export const USAGE: AdminCommand = { name: "usage", about: usage.about, actions: { "": usage } };

async function searchOf({ client, flag, now }: AdminCall, by: string): Promise<URLSearchParams> {
  const search = new URLSearchParams({ by });
  for (const name of ["from", "to", "step", "model"]) {
    const value = flag(name);
    if (value !== undefined) search.set(name, value);
  }
  if (!search.has("from")) {
    const since = durationOf("since", flag("since") ?? "30d", "7d, 24h or 90m");
    search.set("from", new Date(now - since).toISOString());
  } else if (flag("since") !== undefined) throw new CommandFault("Use either --since or --from, not both.");
  const key = flag("key");
  // Keys of the environment and roles have names with a colon, and are not in the list of keys.
  const isListed = key !== undefined && key !== "anonymous" && (!key.includes(":") || key.startsWith("file:"));
  if (key !== undefined) search.set("key", isListed ? await client.keyId(key) : key);
  return search;
}

/** Formats rows for people, added up over all periods unless each period has a row of its own. The last row is the total. */
function usageTable(rows: readonly Json[], by: readonly string[], hasPeriods: boolean): string {
  const dimensions = by.filter((each) => Object.hasOwn(DIMENSIONS, each));
  const names = Object.keys(AMOUNTS);
  const sums = new Map<string, { readonly labels: readonly string[]; readonly amounts: number[] }>();
  const total = names.map(() => 0);
  for (const row of rows) {
    const labels = dimensions.map((each) => (each === "key" ? keyText(row) : text(row[each])));
    if (hasPeriods) labels.unshift(timeText(row["at"]));
    const id = JSON.stringify(labels);
    const sum = sums.get(id) ?? { labels, amounts: names.map(() => 0) };
    sums.set(id, sum);
    for (const [at, name] of names.entries()) {
      const amount = Number(row[name]) || 0;
      sum.amounts[at] = (sum.amounts[at] ?? 0) + amount;
      total[at] = (total[at] ?? 0) + amount;
    }
  }
  const groups = [...sums.values()];
  if (!hasPeriods)
    groups.sort((a, b) => (b.amounts[2] ?? 0) + (b.amounts[4] ?? 0) - (a.amounts[2] ?? 0) - (a.amounts[4] ?? 0));
  const columns = [
    ...(hasPeriods ? [{ title: "AT" }] : []),
    ...dimensions.map((each) => ({ title: DIMENSIONS[each] ?? "" })),
    ...Object.values(AMOUNTS).map((title) => ({ title, isNumber: true })),
  ];
  const labelCount = columns.length - names.length;
  const last = [...Array.from({ length: labelCount }, (_, at) => (at === 0 ? "total" : "")), ...total.map(amountText)];
  return textTable(columns, [...groups.map(({ labels, amounts }) => [...labels, ...amounts.map(amountText)]), last]);
}

/** Names a key by its name and its id, since names need not differ. */
function keyText({ key, key_name: name }: Json): string {
  return name === key || typeof name !== "string" ? text(key) : `${name} (${text(key)})`;
}

function amountText(amount: number): string {
  return String(Math.round(amount * 10) / 10);
}
