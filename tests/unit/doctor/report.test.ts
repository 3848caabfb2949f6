import { expect, test } from "bun:test";
import type { Result } from "../../../src/doctor/check.ts";
import { heading, jsonReport, resultText, skippedText, summary } from "../../../src/doctor/report.ts";

const result = (given: Partial<Result>): Result => ({
  id: "tls",
  title: "TLS",
  verdict: "good",
  measured: "TLSv1.3",
  elapsedMs: 12,
  ...given,
});

test("the report has a line per check, with verdict, title and measurement in columns", () => {
  expect(resultText(result({}))).toBe("good     TLS                TLSv1.3");
  expect(resultText(result({ verdict: "skipped", title: "Quiet socket", measured: "not tried" }))).toBe(
    "skipped  Quiet socket       not tried",
  );
});

test("advice stands below its check, in lines of at most 120 characters that break no word", () => {
  const text = resultText(result({ verdict: "bad", measured: "m".repeat(20), advice: "mend this ".repeat(20).trim() }));
  const lines = text.split("\n");
  expect(lines[0]).toBe(`bad      TLS                ${"m".repeat(20)}`);
  expect(lines[1]).toStartWith(`${" ".repeat(28)}→ mend this`);
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.every((line) => line.length <= 120 && !/ (?:me|men|th|thi)$/.test(line))).toBe(true);
});

test("a word longer than a line stays whole", () => {
  const url = `https://${"a".repeat(200)}.example`;
  expect(resultText(result({ measured: url }))).toContain(url);
});

test("text from a server cannot move the cursor", () => {
  const text = resultText(result({ measured: "from \u001b[2Jnginx\r\u202e\u2028x", advice: "a\u0007b" }));
  expect(text).toBe("good     TLS                from [2Jnginxx\n                            → ab");
});

test("the heading names the server, and the summary counts each verdict that occurred", () => {
  expect(heading({ server: "https://hub.example", version: "1.2.3" })).toBe(
    "moorage doctor 1.2.3: https://hub.example\n",
  );
  const results = [result({}), result({ verdict: "bad" }), result({}), result({ verdict: "skipped" })];
  expect(summary(results, 81_260)).toBe("\n2 good, 1 bad, 1 skipped, in 81.3 s");
});

test("the JSON report has every check, and the worst verdict apart from skipped ones", () => {
  const facts = { server: "https://hub.example", version: "1.2.3", elapsedMs: 99.6 };
  const verdictOf = (results: readonly Result[]): string => JSON.parse(jsonReport(facts, results)).verdict;
  expect(
    JSON.parse(jsonReport(facts, [result({ verdict: "warning", advice: "renew" }), result({ id: "dns" })])),
  ).toEqual({
    server: "https://hub.example",
    version: "1.2.3",
    verdict: "warning",
    elapsed_ms: 100,
    checks: [
      { id: "tls", title: "TLS", verdict: "warning", measured: "TLSv1.3", advice: "renew", elapsed_ms: 12 },
      { id: "dns", title: "TLS", verdict: "good", measured: "TLSv1.3", advice: null, elapsed_ms: 12 },
    ],
  });
  expect(verdictOf([result({ verdict: "skipped" })])).toBe("good");
  expect(verdictOf([result({ verdict: "warning" }), result({ verdict: "bad" })])).toBe("bad");
});

test("skipped checks are one line for each reason, and other verdicts are not among them", () => {
  const skipped = (title: string, measured: string) => result({ verdict: "skipped", title, measured });
  const because = 'skipped because "Connection" failed';
  const results = [
    result({ verdict: "bad", title: "Connection", measured: "refused", advice: "start it" }),
    skipped("TLS", because),
    skipped("Health", because),
    skipped("API key", "none is given"),
    skipped("Job", because),
  ];
  expect(skippedText(results).split("\n")).toEqual([
    `skipped  3 checks           ${because}: TLS, Health, Job`,
    "skipped  API key            none is given",
  ]);
  expect(skippedText([result({})])).toBe("");
});
