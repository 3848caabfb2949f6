import { isRecord } from "../../../json/parse.ts";
import { UnusableEntry, variable, type WrittenEntry, without, withTexts } from "./entry-form.ts";

/** How Continue refers to a secret. */
const SECRET = /\$\{\{\s*(?:secrets|inputs)\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** Turns an item of the list `mcpServers` in the `config.yaml` of Continue into an entry of the map of other programs. */
export function fromContinue(item: WrittenEntry): WrittenEntry | UnusableEntry {
  if (item["uses"] !== undefined) {
    return new UnusableEntry("its block is on Continue's hub; copy the block's command or url into the file");
  }
  const { requestOptions, apiKey, ...rest } = without(item, ["name", "faviconUrl", "sourceFile"]);
  const headers = {
    ...(typeof apiKey === "string" ? { Authorization: `Bearer ${apiKey}` } : {}),
    ...(isRecord(requestOptions) && isRecord(requestOptions["headers"]) ? requestOptions["headers"] : {}),
    ...(isRecord(rest["headers"]) ? rest["headers"] : {}),
  };
  return withTexts({ ...rest, ...(Object.keys(headers).length > 0 ? { headers } : {}) }, (text) =>
    text.replace(SECRET, (_, name: string) => variable(name)),
  );
}
