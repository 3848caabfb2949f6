import type { Result, Verdict } from "./check.ts";

/** Facts about the report as a whole. */
export interface ReportFacts {
  /** The server's URL as the operator gave it. */
  readonly server: string;
  readonly version: string;
  readonly elapsedMs: number;
}

const VERDICTS: readonly Verdict[] = ["good", "warning", "bad", "skipped"];
/** Column widths that fit the longest verdict and the longest title. */
const VERDICT_CHARS = 9;
const TITLE_CHARS = 19;
const LINE_CHARS = 120;

/** Returns the first lines, to be written before anything is measured. */
export function heading({ server, version }: Pick<ReportFacts, "server" | "version">): string {
  return `moorage doctor ${version}: ${server}\n`;
}

/** Formats one check for people: a wrapped line, with the advice below it. */
export function resultText({ verdict, title, measured, advice }: Result): string {
  const indent = " ".repeat(VERDICT_CHARS + TITLE_CHARS);
  const room = LINE_CHARS - indent.length;
  const lines = [measured, ...(advice === undefined ? [] : [`→ ${advice}`])].flatMap((text) =>
    wrapped(printable(text), room),
  );
  const head = verdict.padEnd(VERDICT_CHARS) + title.padEnd(TITLE_CHARS);
  return lines.map((line, at) => `${at === 0 ? head : indent}${line}`).join("\n");
}

/**
 * Formats the skipped checks: one line for all that have the same reason, so that they do not hide what is wrong. Empty if
 * there are none.
 */
export function skippedText(results: readonly Result[]): string {
  const skipped = results.filter(({ verdict }) => verdict === "skipped");
  const groups = Map.groupBy(skipped, ({ measured, advice }) => `${measured}\n${advice}`);
  return [...groups.values()]
    .map((group) => {
      const [first] = group;
      if (!first || group.length === 1) return first ? resultText(first) : "";
      const titles = group.map(({ title }) => title).join(", ");
      return resultText({ ...first, title: `${group.length} checks`, measured: `${first.measured}: ${titles}` });
    })
    .join("\n");
}

/** Returns the last line. */
export function summary(results: readonly Result[], elapsedMs: number): string {
  const counts = VERDICTS.map(
    (verdict) => [verdict, results.filter((each) => each.verdict === verdict).length] as const,
  );
  const parts = counts.filter(([, count]) => count > 0).map(([verdict, count]) => `${count} ${verdict}`);
  return `\n${parts.join(", ")}, in ${(elapsedMs / 1000).toFixed(1)} s`;
}

/** Returns the whole report for programs. */
export function jsonReport({ server, version, elapsedMs }: ReportFacts, results: readonly Result[]): string {
  const worst = results.some(({ verdict }) => verdict === "bad")
    ? "bad"
    : results.some(({ verdict }) => verdict === "warning")
      ? "warning"
      : "good";
  const checks = results.map(({ id, title, verdict, measured, advice, elapsedMs: took }) => ({
    id,
    title,
    verdict,
    measured,
    advice: advice ?? null,
    elapsed_ms: took,
  }));
  return JSON.stringify({ server, version, verdict: worst, elapsed_ms: Math.round(elapsedMs), checks }, null, 2);
}

function wrapped(text: string, room: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/**
 * Removes control characters: names of servers and certificates come from outside and MUST NOT move the terminal's
 * cursor.
 */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "");
}
