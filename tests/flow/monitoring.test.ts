import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { grafanaDashboard, grafanaQueries, VARIABLES } from "../../scripts/grafana/dashboard.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { MonitoredServer } from "../support/monitored-server.ts";
import { Prometheus } from "../support/prometheus.ts";
import { askedBy, baseName, parseScrape, type ScrapedMetric } from "../support/scrape.ts";

const FOLDER = join(import.meta.dir, "../../deploy/monitoring");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly description: string };
}
const yamlOf = async (name: string): Promise<unknown> => Bun.YAML.parse(await Bun.file(join(FOLDER, name)).text());
// What the two files have is held below, and by promtool.
const alertFile = (await yamlOf("alerts.yaml")) as { groups: { rules: Rule[] }[] };
const rules = alertFile.groups.flatMap((group) => group.rules);
const ruleTests = (await yamlOf("alerts.test.yaml")) as {
  tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
};
const guide = await Bun.file(join(FOLDER, "../../docs/monitoring.md")).text();
const queries = [
  ...grafanaQueries().map(([, expr]) => expr),
  ...VARIABLES.map(({ query }) => query),
  ...rules.map(({ expr }) => expr),
];

let monitored: MonitoredServer;
let scrape = "";
let metrics: ReadonlyMap<string, ScrapedMetric> = new Map();
beforeAll(async () => {
  monitored = await MonitoredServer.start();
  await monitored.work();
  scrape = await monitored.scrape();
  metrics = parseScrape(scrape);
}, 30_000);
afterAll(() => monitored.stop());

describe("dashboard and alerts", () => {
  test("the dashboard's file is what its script writes", async () => {
    expect(await Bun.file(join(FOLDER, "grafana.json")).json()).toEqual(grafanaDashboard());
  });

  test("all of the server's own metrics have series after some work, so that the tests below have something to check", () => {
    const empty = [...metrics].filter(([name, { series }]) => name.startsWith("moorage_") && series === 0);
    expect(empty.map(([name]) => name)).toEqual([]);
  });

  test.each(queries)("%s uses only metrics and labels that the server has", (query) => {
    const { names, labels } = askedBy(query);
    const asked = names.map((name) => baseName(name, metrics));
    expect(asked.filter((name) => !metrics.has(name))).toEqual([]);
    expect(asked.length > 0 || query.includes("up{")).toBe(true);
    // What Prometheus adds, and what a histogram has.
    const known = new Set([
      "job",
      "instance",
      "le",
      ...asked.flatMap((name) => [...(metrics.get(name)?.labels ?? [])]),
    ]);
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  test("the dashboard shows every metric of the server itself", () => {
    const shown = new Set(
      grafanaQueries().flatMap(([, expr]) => askedBy(expr).names.map((name) => baseName(name, metrics))),
    );
    expect([...metrics.keys()].filter((name) => name.startsWith("moorage_") && !shown.has(name))).toEqual([]);
  });

  test("every alert states its severity and what to do, and is tested where it fires and where it must not", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const rule of rules)
      expect(rule).toMatchObject({
        for: expect.any(String),
        labels: { severity: expect.stringMatching(/^(?:critical|warning)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      });
    const firing = ruleTests.tests.flatMap((each) => each.alert_rule_test).filter((each) => each.exp_alerts?.length);
    expect([...new Set(firing.map(({ alertname }) => alertname))].toSorted()).toEqual(
      rules.map(({ alert }) => alert).toSorted(),
    );
  });
});

describe("docs/monitoring.md", () => {
  test("lists every metric of the server itself with type and labels, and no other", () => {
    const rows = [...guide.matchAll(/^\| `(moorage_\w+)` \| (\w+) \|([^|]*)\|/gm)];
    const told = rows.map(([, name = "", type = "", labels = ""]) => {
      // A label's values stand behind a colon.
      const named = [...labels.replace(/:[^;]*/g, "").matchAll(/`(\w+)`/g)].map(([, label = ""]) => label);
      return [name, type, ...named.toSorted()];
    });
    const there = [...metrics]
      .filter(([name]) => name.startsWith("moorage_"))
      .map(([name, { type, labels }]) => [name, type, ...[...labels].toSorted()]);
    expect(told.toSorted()).toEqual(there.toSorted());
  });

  test("lists every alert, and no other", () => {
    const told = [...guide.matchAll(/^\| `(Moorage\w+)` \|/gm)].map(([, name]) => name);
    expect(told).toEqual(rules.map(({ alert }) => alert));
  });
});

/** What a program of Prometheus' says, and its exit code. */
async function promtool(args: readonly string[], input = ""): Promise<readonly [code: number, said: string]> {
  const tool = Bun.spawn(["promtool", ...args], {
    cwd: FOLDER,
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await Promise.all([tool.stdout.text(), tool.stderr.text()])).join("");
  return [await tool.exited, said];
}

describe.skipIf(lacks("rules and configuration in promtool", PROGRAMS.promtool))("with promtool", () => {
  test.each([
    ["check", "rules", "alerts.yaml"],
    ["test", "rules", "alerts.test.yaml"],
    ["check", "config", "prometheus.yaml"],
  ])("promtool %s %s %s finds no fault", async (what, kind, file) => {
    const [code, said] = await promtool([what, kind, file]);
    expect([code, said]).toEqual([0, said]);
  });

  test("promtool accepts the names of the server's own metrics", async () => {
    const [, said] = await promtool(["check", "metrics"], scrape);
    // What prom-client measures of the process has the names that all of its users know.
    expect(said.split("\n").filter((line) => line.startsWith("moorage_"))).toEqual([]);
  });
});

/** Empty while all is well. The others need more than the seconds that a test has, or a machine that is not busy. */
const QUIET = [
  "MoorageDown",
  "MoorageMetricsAbsent",
  "MoorageNoWorkers",
  "MoorageNoReadyWorkers",
  "MoorageNoRelays",
  "MoorageQueueFilling",
  "MoorageQueueWaits",
  "MoorageMemory",
  "MoorageSpoolFull",
];

describe.skipIf(lacks("queries and alerts in Prometheus", PROGRAMS.prometheus))("with Prometheus itself", () => {
  let prometheus: Prometheus;
  const ask = (expr: string): ReturnType<Prometheus["query"]> =>
    prometheus.query(expr.replaceAll(/"\$(?:instance|plugin|model)"/g, '".*"').replaceAll("$__rate_interval", "1m"));
  beforeAll(async () => {
    prometheus = await Prometheus.start(new URL(monitored.metricsUrl).host, join(FOLDER, "alerts.yaml"));
    // A rate needs growth between two scrapes, and some counts had theirs before the first.
    await monitored.work();
    const grown = async (): Promise<boolean> => (await ask("sum(rate(moorage_retries_total[1m])) > 0")).length > 0;
    await eventually(grown, "Prometheus has scraped the second round of work", 20_000);
  }, 60_000);
  afterAll(() => prometheus?.stop());

  test.each(grafanaQueries().map(([legend, expr]) => [expr, legend] as const))(
    "%s returns a number, with the labels that its legend names",
    async (expr, legend) => {
      const samples = await ask(expr);
      expect(samples.filter(({ value }) => Number.isFinite(Number(value[1])))).not.toEqual([]);
      const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
      for (const { metric } of samples) expect(named.filter((label) => metric[label] === undefined)).toEqual([]);
    },
  );

  test("every alert is evaluated without an error", async () => {
    for (const { expr } of rules) await ask(expr);
    const wanted = new Map(rules.map(({ alert }) => [alert, "ok"]));
    await eventually(async () => ![...(await prometheus.rules()).values()].includes("unknown"), "all were evaluated");
    expect(await prometheus.rules()).toEqual(wanted);
  });

  test.each(QUIET)("%s is silent for a healthy server", async (name) => {
    const rule = rules.find(({ alert }) => alert === name);
    expect(await ask(rule?.expr ?? "")).toEqual([]);
  });

  test("the dashboard's variables have values to choose from", async () => {
    const chosen = VARIABLES.map(({ query }) => /^label_values\((.*), (\w+)\)$/.exec(query)?.slice(1) ?? []);
    for (const [series = "", label = ""] of chosen) {
      const values = (await ask(`count by (${label}) (${series})`)).map(({ metric }) => metric[label]);
      expect(values).not.toContain(undefined);
      expect(values.length).toBeGreaterThan(label === "instance" ? 0 : 1);
    }
  });
});
