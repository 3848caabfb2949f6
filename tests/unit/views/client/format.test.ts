import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readHostFacts } from "../../../../src/worker/host.ts";
import { curlLine, quoted } from "../../../../views/client/curl.ts";
import {
  age,
  ahead,
  aheadRoughly,
  bytes,
  count,
  duration,
  percent,
  plural,
  rate,
  share,
  system,
} from "../../../../views/client/format.ts";
import { cosine } from "../../../../views/client/vectors.ts";

describe("the page writes", () => {
  test.each([
    ["2026-11-28T00:00:00Z", "in 3 h 42 min", "in 3 h"],
    ["2026-11-27T20:18:14Z", "in 14 s", "in 14 s"],
    ["2026-12-01T00:00:00Z", "in 3 d 3 h", "in 3 d"],
    ["2026-11-27T20:17:55Z", "5 s ago", "5 s ago"],
  ])("the time until %s in two units or in one", (then, exact, rough) => {
    const now = Date.parse("2026-11-27T20:18:00Z");
    expect([ahead(then, now), aheadRoughly(then, now)]).toEqual([exact, rough]);
  });

  test.each([
    [0, "0"],
    [950, "950"],
    [9999, "9999"],
    [12_345, "12.3 k"],
    [4_000_000, "4 M"],
    [7_200_000_000, "7.2 G"],
  ])("the count %d as %s", (value, text) => {
    expect(count(value)).toBe(text);
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [8 * 1024 ** 3, "8 GiB"],
    [3000 * 1024 ** 4, "3000 TiB"],
    [null, "–"],
  ])("%p bytes as %s", (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  test.each([
    [0, "0 ms"],
    [850, "850 ms"],
    [1234, "1.2 s"],
    [42_400, "42 s"],
    [60_000, "1 min"],
    [200_000, "3 min 20 s"],
    [2 * 3_600_000 + 600_000, "2 h 10 min"],
    [100 * 3_600_000, "4 d 4 h"],
    [undefined, "–"],
  ])("%p milliseconds as %s", (value, text) => {
    expect(duration(value)).toBe(text);
  });

  test("rates, ages, shares and plurals", () => {
    expect([rate(0.25), rate(99.96), rate(1234), rate(null)]).toEqual(["0.3", "100", "1234", "–"]);
    expect(age("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:01:30Z"))).toBe("1 min 30 s");
    expect(age("2026-01-01T00:00:00Z", 0)).toBe("0 ms");
    expect([percent(1, 3), percent(5, 0), percent(9, 3)]).toEqual([33, 0, 100]);
    expect([plural(1, "job"), plural(2, "job"), plural(2, "job waiting", "jobs waiting")]).toEqual([
      "1 job",
      "2 jobs",
      "2 jobs waiting",
    ]);
  });
});

test("a worker's machine is shown by what the worker program says of it", () => {
  const said = readHostFacts();
  expect(system({ ...said, cpu_percent: null })).toBe(`${said.os_name} ${said.os_version}`);
  expect(system({ hostname: "box", os_name: "linux" })).toBe("linux");
  expect(system({ hostname: "box" })).toBe("box");
  expect(system({ cpu_percent: null })).toBe("–");
});

describe("a curl line", () => {
  test("survives the shell with any text in it", async () => {
    const texts = fc.sample(fc.string({ unit: "grapheme" }), 40).filter((text) => !text.includes("\0"));
    texts.push("it's", `$(id) "x" \\`, "a\nb", "");
    const script = `for a in ${texts.map(quoted).join(" ")}; do printf '%s\\0' "$a"; done`;
    const run = Bun.spawnSync(["sh", "-c", script]);
    expect(run.stdout.toString().split("\0").slice(0, -1)).toEqual(texts);
  });

  test("takes the key from the environment, and posts if it has a body", () => {
    const line = curlLine({
      url: "http://h/v1/x",
      method: "POST",
      flags: "-N",
      bearerVariable: "API_KEY",
      json: { a: 1 },
    });
    expect(line).toBe(
      `curl -N http://h/v1/x -H "Authorization: Bearer $API_KEY" -H 'content-type: application/json' -d '{"a":1}'`,
    );
    expect(curlLine({ url: "http://h", method: "DELETE" })).toBe("curl -X DELETE http://h");
    expect(curlLine({ url: "http://h", method: "POST", form: ["file=@my voice.wav"] })).toBe(
      "curl http://h -F 'file=@my voice.wav'",
    );
  });
});

test("the similarity of two vectors is their cosine", () => {
  expect(cosine([1, 0], [2, 0])).toBe(1);
  expect(cosine([1, 0], [0, 3])).toBe(0);
  expect(cosine([1, 1], [-1, -1])).toBeCloseTo(-1);
  expect(cosine([0, 0], [1, 1])).toBe(0);
});

test.each([
  [null, "–"],
  [0, "0 %"],
  [0.0004, "<1 %"],
  [0.5, "50 %"],
  [0.996, "100 %"],
])("a part of the whole of %p is %s", (value, text) => {
  expect(share(value)).toBe(text);
});
