import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { tally } from "../../support/tallied-worker.ts";
import { API_KEY } from "../../support/test-server.ts";

// Usage, ended requests and the trail of operators, asked of any of three server processes.

const LONG_MS = 60_000;
const TOKENS = 40;
const OTHER_KEY = "another-api-key-0123456789abcdef0123456789abcdef";
const ADMIN_KEY = "an-admin-key-0123456789abcdef0123456789abcdef";
/** The chats that clients send to each server. */
const CHATS = [3, 4, 5];
const ALL = CHATS.reduce((sum, count) => sum + count, 0);

interface Row {
  readonly key?: string;
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

describe.skipIf(lacks("usage of a cluster", PROGRAMS.nats))("any of three servers answers for all", () => {
  let cluster: ClusterProcesses;

  beforeAll(async () => {
    cluster = await ClusterProcesses.start({ env: { API_KEY: `${API_KEY},${OTHER_KEY}`, ADMIN_KEY } });
    const seen = tally(await cluster.workerOfM(1, { max_concurrency: 100 }), { tokens: TOKENS });
    for (const [at, count] of CHATS.entries())
      for (let each = 0; each < count; each += 1) {
        const key = each % 2 === 0 ? API_KEY : OTHER_KEY;
        const response = await cluster.server(at).chat("m", {}, { headers: { authorization: `Bearer ${key}` } });
        expect(response.status).toBe(200);
      }
    expect(seen.all).toBe(ALL);
  }, LONG_MS);
  afterAll(() => cluster.stop());

  const ask = (at: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    cluster.server(at).fetch(path, { headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers } });
  async function json<T>(at: number, path: string): Promise<T> {
    return (await (await ask(at, path)).json()) as T; // the shapes are tested elsewhere
  }
  const tokensOf = (rows: readonly Row[]): number =>
    rows.reduce((sum, row) => sum + row.input_tokens + row.output_tokens, 0);

  test(
    "for what was used, with the same sums at every server and at every grouping, as the backend stated",
    async () => {
      for (const at of [0, 1, 2])
        for (const by of ["key", "model", "key,model", "end_user"])
          for (const step of ["minute", "hour", "day"]) {
            const { rows, missing_servers: missing } = await json<{ rows: Row[]; missing_servers: string[] }>(
              at,
              `/api/usage?by=${by}&step=${step}`,
            );
            expect(missing).toEqual([]);
            expect(tokensOf(rows)).toBe(ALL * TOKENS);
            expect(rows.reduce((sum, { requests }) => sum + requests, 0)).toBe(ALL);
          }
      const { rows } = await json<{ rows: Row[] }>(2, "/api/usage?by=key&step=day&key=api-key:1");
      // Every second chat of each server, the first included.
      expect(rows.reduce((sum, { requests }) => sum + requests, 0)).toBe(7);
      const csv = await (await ask(0, "/api/usage?by=key&step=day", { accept: "text/csv" })).text();
      const [head = "", ...lines] = csv.trimEnd().split("\r\n");
      const column = head.split(",").indexOf("input_tokens");
      expect(lines.reduce((sum, line) => sum + Number(line.split(",")[column]), 0)).toBe((ALL * TOKENS) / 2);
    },
    LONG_MS,
  );

  test(
    "for the requests that have ended, with the server that each client called",
    async () => {
      const { data, has_more: hasMore } = await json<{
        data: { server: string; ended_at: string }[];
        has_more: boolean;
      }>(1, "/api/state/jobs?limit=100");
      expect(hasMore).toBe(false);
      expect(["s1", "s2", "s3"].map((id) => data.filter(({ server }) => server === id).length)).toEqual(CHATS);
      const times = data.map((job) => job.ended_at);
      expect(times).toEqual([...times].sort().reverse());
    },
    LONG_MS,
  );

  test(
    "for what operators did, page by page",
    async () => {
      for (const at of [0, 1, 2, 0])
        expect(
          (
            await cluster.server(at).post(
              "/api/state/workers/w1/block",
              {},
              {
                headers: { authorization: `Bearer ${ADMIN_KEY}` },
              },
            )
          ).status,
        ).toBeLessThan(500);
      type Page = { data: { server: string; id: number; at: string }[]; has_more: boolean; next: string | null };
      const whole = await json<Page>(2, "/api/audit");
      expect(new Set(whole.data.map(({ server }) => server))).toEqual(new Set(["s1", "s2", "s3"]));
      const paged = [];
      let after = "";
      for (;;) {
        const page = await json<Page>(1, `/api/audit?limit=2${after}`);
        paged.push(...page.data);
        if (page.next === null) break;
        after = `&after=${encodeURIComponent(page.next)}`;
      }
      expect(paged).toEqual(whole.data);
    },
    LONG_MS,
  );

  test(
    "and names a server that is frozen or gone",
    async () => {
      type Answer = { rows: Row[]; missing_servers: string[] };
      cluster.server(2).freeze();
      expect((await json<Answer>(0, "/api/usage?by=key&step=day")).missing_servers).toEqual(["s3"]);
      cluster.server(2).thaw();
      await cluster.formed();
      expect((await json<Answer>(0, "/api/usage?by=key&step=day")).missing_servers).toEqual([]);
      await cluster.server(2).kill();
      await eventually(async () => (await cluster.server(0).peers()).get("s3") === "gone", "s3 is gone", 10_000);
      const response = await ask(0, "/api/usage?by=key&step=day");
      expect(response.headers.get("x-moorage-missing-servers")).toBe("s3");
      const { rows, missing_servers: missing } = (await response.json()) as Answer; // as above
      expect(missing).toEqual(["s3"]);
      expect(tokensOf(rows)).toBe((3 + 4) * TOKENS);
    },
    LONG_MS,
  );
});
