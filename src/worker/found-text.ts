import type { FoundBackend } from "./discover.ts";

/** The most ids shown per model server; more would push the table off the screen. */
const SHOWN_MODELS = 6;

/** Formats the model servers that were found as a table for a terminal. */
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

function modelsText(models: readonly string[]): string {
  if (models.length === 0) return "none";
  const more = models.length > SHOWN_MODELS ? ` and ${models.length - SHOWN_MODELS} more` : "";
  return models.slice(0, SHOWN_MODELS).join(", ") + more;
}
