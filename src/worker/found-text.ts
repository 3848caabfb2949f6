import type { FoundBackend } from "./discover.ts";
import type { Kind } from "./kind.ts";

/** Ids shown of one model server; more of them would push the table off the screen. */
const SHOWN_MODELS = 6;

/** A table of the model servers that were found, for a terminal. */
export function foundTable(found: readonly FoundBackend[], chosen: FoundBackend): string {
  const rows = found.map((backend) => [
    backend === chosen ? "*" : " ",
    [backend.family ?? "unknown", backend.version].filter(Boolean).join(" "),
    backend.base,
    modelsText(backend.models),
  ]);
  const table = [["", "SERVER", "URL", "MODELS"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const more = found.length > 1 ? ["  * is used; choose another with --backend <url>"] : [];
  return ["Model servers on this machine:", ...lines, ...more].join("\n");
}

/** A line to paste: asks `server` for an answer by the first model. */
export function curlLine(kind: Kind, server: string, model: string): string {
  const { url, body } = kind.example(server, model);
  return [
    `curl ${quoted(url)}`,
    '-H "Authorization: Bearer $API_KEY"',
    "-H 'Content-Type: application/json'",
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" ");
}

function modelsText(models: readonly string[]): string {
  if (models.length === 0) return "none";
  const more = models.length > SHOWN_MODELS ? ` and ${models.length - SHOWN_MODELS} more` : "";
  return models.slice(0, SHOWN_MODELS).join(", ") + more;
}

/** For a shell: a model's name is the model server's word. */
function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
