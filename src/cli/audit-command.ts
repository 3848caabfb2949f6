import { isRecord } from "../json/parse.ts";
import type { AdminAction, AdminCommand } from "./admin-command.ts";
import { text, timeText } from "./key-output.ts";
import { warnOfMissing } from "./missing-servers.ts";
import { textTable } from "./text-table.ts";

const FILTERS = ["limit", "after", "who", "what", "about"] as const;

const audit: AdminAction = {
  usage: "",
  about: "Shows what operators did, the newest first.",
  flags: {
    limit: { value: "n", help: "The most entries, up to 1000 (default: 100)." },
    after: { value: "place", help: "Where the previous page ended, as its last line says." },
    who: { value: "caller", help: "Only what this caller did, such as admin-key:1 or cli." },
    what: { value: "kind", help: "Only entries of this kind, such as key.create or worker.drain." },
    about: { value: "id", help: "Only entries about this key, worker or job." },
  },
  words: { min: 0, max: 0 },
  async run({ client, flag }, { out, err }) {
    const search = new URLSearchParams();
    for (const name of FILTERS) {
      const value = flag(name);
      if (value !== undefined) search.set(name, value);
    }
    const answer = await client.json("GET", `/api/audit?${search}`);
    if (flag("json") !== undefined) return out(`${JSON.stringify(answer, undefined, 2)}\n`);
    warnOfMissing(answer["missing_servers"], err);
    const entries = Array.isArray(answer["data"]) ? answer["data"].filter(isRecord) : [];
    if (entries.length === 0) return err("There are no such entries.\n");
    const hasServers = entries.some((entry) => entry["server"] !== undefined);
    const rows = entries.map((entry) => [
      ...(hasServers ? [text(entry["server"])] : []),
      text(entry["id"]),
      timeText(entry["at"]),
      text(entry["who"]),
      text(entry["address"]),
      text(entry["what"]),
      text(entry["about"]),
      detailText(entry["detail"]),
    ]);
    const columns = [...(hasServers ? ["SERVER"] : []), "ID", "AT", "WHO", "ADDRESS", "WHAT", "ABOUT", "DETAIL"].map(
      (title) => ({ title }),
    );
    out(textTable(columns, rows));
    if (answer["has_more"] === true) err(`There are older entries. To see them: --after ${text(answer["next"])}\n`);
  },
};

/** `moorage audit`. */
export const AUDIT: AdminCommand = { name: "audit", about: audit.about, actions: { "": audit } };

function detailText(detail: unknown): string {
  if (!isRecord(detail)) return "";
  return Object.entries(detail)
    .map(([name, value]) => `${name}=${text(value)}`)
    .join(" ");
}
