import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grafanaDashboard, grafanaQueries } from "../../scripts/grafana/dashboard.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/proxy.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

const FOLDER = join(import.meta.dir, "../../deploy/monitoring");
const missing = ["promtool", "prometheus"].filter((name) => Bun.which(name) === null);
if (missing.length > 0)
  console.log(`Rules and queries are not tried with ${missing.join(" and ")}. On Debian: apt-get install prometheus`);

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}
// What the file has is held below, and by promtool.
const rules = (Bun.YAML.parse(await Bun.file(join(FOLDER, "alerts.yaml")).text()) as Rules).groups.flatMap(
  (group) => group.rules,
);
const queries = [...grafanaQueries(), ...rules.map(({ expr }) => expr)];

let server: TestServer;
let scrape = "";
beforeAll(async () => {
  server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"], queueSize: 0, mcpRejoinTimeoutMs: 0 });
  const worker = await server.worker({ models: ["m"], max_concurrency: 2 });
  const answered = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id);
  worker.data(id, 'data: {"choices":[]}\n\n');
  worker.data(id, 'data: {"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n');
  worker.data(id, "data: [DONE]\n\n", true);
  await (await answered).text();
  const failed = server.chat("m");
  worker.answerJson((await worker.request()).id, {}, 500);
  await failed;
  await server.chat("nobody's");
  await server.fetch("/api/mcp/id/nobody", { method: "POST", body: "{}" });
  const made = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id } = (await made.json()) as { channel_id: string }; // As the API has it.
  const url = `${server.url}/api/transfer/${channel_id}`;
  const headers = { authorization: `Bearer ${API_KEY}` };
  await Promise.all([fetch(url, { headers }), fetch(url, { method: "PUT", headers, body: "ahoy" })]);
  await fetch(`${server.url}/v1/models`, { headers: { authorization: "Bearer wrong" } });
  scrape = await (await fetch(`${server.url}/metrics`)).text();
});
afterAll(() => server.stop());

describe("dashboard and alerts", () => {
  test("the dashboard's file is what its script writes", async () => {
    expect(await Bun.file(join(FOLDER, "grafana.json")).json()).toEqual(grafanaDashboard());
  });

  test.each(queries)("%s names only metrics that the server has", (query) => {
    const names = query.match(/\b(?:moorage|process|nodejs)_\w+/g) ?? [];
    const known = [...scrape.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = "", type]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
    expect(names.length + (query.startsWith("up{") ? 1 : 0)).toBeGreaterThan(0);
  });

  test("labels are those that the series have", () => {
    const labelsOf = (metric: string): readonly string[] =>
      [...scrape.matchAll(new RegExp(`^${metric}\\{(.*)\\} `, "gm"))].flatMap(([, text = ""]) =>
        [...text.matchAll(/(\w+)="/g)].map(([, label = ""]) => label),
      );
    let seen = 0;
    for (const query of queries)
      for (const [, metric = "", filter = ""] of query.matchAll(/(moorage_\w+)\{([^}]*)\}/g)) {
        const labels = labelsOf(metric);
        if (labels.length === 0) continue;
        seen += 1;
        const used = [...filter.matchAll(/(\w+)(?:=|!)/g)].map(([, label = ""]) => label);
        expect([metric, used.filter((label) => label !== "instance" && !labels.includes(label))]).toEqual([metric, []]);
      }
    expect(seen).toBeGreaterThan(20);
  });

  test("every alert says how bad it is and what to do", async () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const rule of rules)
      expect(rule).toMatchObject({
        for: expect.any(String),
        labels: { severity: expect.stringMatching(/^(?:critical|warning)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      });
  });

  test("docs/monitoring.md has every metric of the server's own, and no other", async () => {
    const page = await Bun.file(join(FOLDER, "../../docs/monitoring.md")).text();
    const told = [...page.matchAll(/^\| `(moorage_\w+)`/gm)].map(([, name = ""]) => name);
    const there = [...scrape.matchAll(/^# TYPE (moorage_\w+) /gm)].map(([, name = ""]) => name);
    expect(told.toSorted()).toEqual(there.toSorted());
  });
});

describe.skipIf(missing.length > 0)("with Prometheus itself", () => {
  test.each([
    ["check", "rules", "alerts.yaml"],
    ["test", "rules", "alerts.test.yaml"],
    ["check", "config", "prometheus.yaml"],
  ])("promtool %s %s %s finds nothing wrong", async (what, kind, file) => {
    const tool = Bun.spawn(["promtool", what, kind, file], { cwd: FOLDER, stdout: "pipe", stderr: "pipe" });
    const said = (await Promise.all([tool.stdout.text(), tool.stderr.text()])).join("");
    expect([await tool.exited, said]).toEqual([0, said]);
  });

  test("promtool has nothing against the names of the server's own metrics", async () => {
    const tool = Bun.spawn(["promtool", "check", "metrics"], {
      stdin: new Blob([scrape]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await Promise.all([tool.stdout.text(), tool.stderr.text()])).join("");
    expect(said.split("\n").filter((line) => line.startsWith("moorage_"))).toEqual([]);
  });

  test("every query is answered from a real scrape", async () => {
    const folder = mkdtempSync(join(tmpdir(), "moorage-prometheus-"));
    const port = await freePort();
    const { host } = new URL(server.url);
    const config = {
      scrape_configs: [{ job_name: "moorage", scrape_interval: "1s", static_configs: [{ targets: [host] }] }],
    };
    await Bun.write(join(folder, "prometheus.yaml"), JSON.stringify(config));
    const flags = [`--config.file=${folder}/prometheus.yaml`, `--storage.tsdb.path=${folder}/data`];
    const prometheus = Bun.spawn(["prometheus", ...flags, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    try {
      const ask = async (query: string): Promise<readonly unknown[]> => {
        const filled = query
          .replaceAll('"$instance"', '".*"')
          .replaceAll('"$plugin"', '".*"')
          .replaceAll('"$model"', '".*"')
          .replaceAll("$__rate_interval", "1m");
        const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(filled)}`;
        const answer = (await (await fetch(url)).json()) as {
          status: string;
          error?: string;
          data: { result: unknown[] };
        }; // Prometheus' own.
        expect([query, answer.status, answer.error]).toEqual([query, "success", undefined]);
        return answer.data.result;
      };
      const isScraped = async (): Promise<boolean> =>
        fetch(`http://127.0.0.1:${port}/api/v1/query?query=moorage_build_info`).then(
          async (answer) => (await answer.text()).includes('"version"'),
          () => false,
        );
      await eventually(isScraped, "it has scraped the server", 20_000);
      await Bun.sleep(2500);
      const empty: string[] = [];
      for (const query of grafanaQueries()) if ((await ask(query)).length === 0) empty.push(query);
      for (const { expr } of rules) await ask(expr);
      // Of what has not happened there is no series: nothing was spoken, sent elsewhere, or opened.
      expect(empty.filter((query) => !/audio_seconds|retries_total|sessions_opened/.test(query))).toEqual([]);
    } finally {
      prometheus.kill("SIGTERM");
      await prometheus.exited;
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
