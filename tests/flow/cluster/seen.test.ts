import { afterEach, describe, expect, test } from "bun:test";
import type { ClusterState, ServerRow } from "../../../src/state/cluster-state.ts";
import type { LogFields } from "../../../src/system/deps.ts";
import { silentLog } from "../../../src/system/log.ts";
import { eventually } from "../../support/eventually.ts";
import { ServerCluster } from "../../support/server-cluster.ts";

let cluster: ServerCluster;
afterEach(() => cluster.stop());

type Envelope = {
  readonly cluster: ClusterState;
  readonly relayed?: { readonly by: string; readonly stale_since: string | null };
  readonly server: { readonly id: string; readonly problems: readonly { readonly code: string }[] };
  readonly plugins: { readonly llm: { readonly workers: readonly { readonly id: string }[] } };
};

type Columns = { readonly at: number[]; readonly slots_total: number[] };

async function stateAt(id: string, query = ""): Promise<Envelope> {
  const answer = await cluster.at(id).server.fetch(`/api/state${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Envelope; // the State API's format
}

/** Returns the row of a server as another one sees it, once it is as it should be. */
function rowAt(id: string, of: string, isRight: (row: ServerRow) => boolean): Promise<ServerRow> {
  return eventually(async () => {
    const row = (await stateAt(id)).cluster.servers.find((each) => each.id === of);
    return row && isRight(row) ? row : undefined;
  });
}

describe("the state of servers that are linked", () => {
  test("lists each of them with its link and its load, at any of them", async () => {
    cluster = await ServerCluster.start(["a", "b", "c"], { region: "fra" });
    await cluster.at("b").server.worker({ max_concurrency: 3 });
    const row = await rowAt("a", "b", ({ workers }) => workers === 1);
    expect(row).toMatchObject({ state: "alive", link: "direct", slots: 3, busy: 0, region: "fra", link_problem: null });
    const measured = await rowAt("a", "b", ({ rtt_ms }) => rtt_ms !== null);
    expect(measured.rtt_ms).toBeLessThan(1000);
    expect((await rowAt("c", "b", ({ workers }) => workers === 1)).slots).toBe(3);
    const { cluster: seen } = await stateAt("c");
    expect(seen).toMatchObject({ id: "c", is_whole: true, peers_lost: 0, bus: { state: "up" } });
    expect(seen.servers.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(seen.sample.slots_total).toBe(3);
  });

  test("is passed on from one to the other while somebody looks", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    await cluster.at("b").server.worker({ worker_id: "w" });
    const through = await stateAt("a", "?server=b");
    expect(through).toMatchObject({
      relayed: { by: "a", stale_since: null },
      server: { id: "b" },
      cluster: { id: "a" },
    });
    expect(through.plugins.llm.workers.map(({ id }) => id)).toEqual(["w"]);
    const all = (await (await cluster.at("b").server.fetch("/api/state?server=all")).json()) as {
      servers: Record<string, Envelope>;
    }; // the State API's format
    expect(Object.values(all.servers).map(({ server }) => server.id)).toEqual(["b", "a"]);
  });

  test("has the history of each other one", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    await cluster.at("b").server.worker({ max_concurrency: 5 });
    const slots = await eventually(async () => {
      const answer = await cluster.at("a").server.fetch("/api/state/history?server=b");
      if (answer.status !== 200) return undefined;
      const { samples } = (await answer.json()) as { samples: { slots_total: number[] } }; // the State API's format
      return samples.slots_total.at(-1) === 5 ? samples.slots_total : undefined;
    });
    expect(slots.length).toBeGreaterThan(0);
  });

  test("has the history of each other one from before a restart of the server that answers", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    await cluster.at("b").server.worker({ max_concurrency: 5 });
    const historyAt = async (id: string, query = ""): Promise<Columns | undefined> => {
      const answer = await cluster.at(id).server.fetch(`/api/state/history${query}`);
      return answer.status === 200 ? ((await answer.json()) as { samples: Columns }).samples : undefined; // the State API's format
    };
    const before = await eventually(async () => {
      const samples = await historyAt("b");
      return samples && samples.slots_total.filter((slots) => slots === 5).length >= 2 ? samples : undefined;
    });
    await cluster.leave("a");
    const restartedAt = Date.now();
    cluster.add("a");
    const after = await eventually(async () => {
      const samples = await historyAt("a", "?server=b");
      return samples && samples.at.length > before.at.length ? samples : undefined;
    });
    expect(after.slots_total.slice(0, before.at.length)).toEqual(before.slots_total);
    expect(after.at.every((at, index) => at > (after.at[index - 1] ?? 0))).toBe(true);
    const all = await historyAt("a", "?server=all");
    for (const samples of [after, all]) expect(samples?.at[0]).toBeLessThan(restartedAt);
  }, 20_000);

  test("counts a job that crosses servers once, and its crossing at both", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const worker = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const answered = cluster.at("a").server.chat("m");
    worker.answerJson((await worker.request()).id, { choices: [] });
    await (await answered).text();
    const counted = async (id: string, name: string): Promise<readonly string[]> => {
      const text = await (await cluster.at(id).server.fetch("/metrics")).text();
      return text.split("\n").filter((line) => line.startsWith(`${name}{`));
    };
    const crossed = ['moorage_cluster_jobs_total{direction="in"} 0', 'moorage_cluster_jobs_total{direction="out"} 1'];
    // The slot is given back when the peer has confirmed the end.
    await eventually(async () => Bun.deepEquals(await counted("a", "moorage_cluster_jobs_total"), crossed));
    expect((await counted("b", "moorage_cluster_jobs_total"))[0]).toBe('moorage_cluster_jobs_total{direction="in"} 1');
    const completed = 'moorage_jobs_total{plugin="llm",model="m",outcome="completed"} 1';
    expect(await counted("a", "moorage_jobs_total")).toContain(completed);
    expect(await counted("b", "moorage_jobs_total")).not.toContain(completed);
  });
});

describe("what goes wrong among servers", () => {
  test("is a lost server: it is shown as lost, is a problem, and is in the log once", async () => {
    const lines: { event: string; fields: LogFields | undefined }[] = [];
    const note = (event: string, fields?: LogFields): void => void lines.push({ event, fields });
    const log = {
      ...silentLog,
      info: note,
      warn: note,
      with: () => log,
    };
    cluster = await ServerCluster.start(["a", "b"], {}, { log });
    await rowAt("a", "b", ({ sample }) => sample !== null);
    // A peer that leaves before it was noticed is no news.
    await eventually(() =>
      lines.some(({ event, fields }) => event === "cluster.peer_joined" && fields?.["peer"] === "b"),
    );
    const { bus, cluster: dying } = cluster.at("b");
    // Without a goodbye: as after a kill, what it sends stops and its link breaks.
    bus.disconnect();
    dying.links.close("killed");
    const row = await rowAt("a", "b", ({ is_lost }) => is_lost);
    expect(row).toMatchObject({ state: "gone", sample: expect.anything() });
    const state = await eventually(async () => {
      const now = await stateAt("a");
      return now.server.problems.some(({ code }) => code === "peer_lost") ? now : undefined;
    });
    expect(state.cluster).toMatchObject({ peers_lost: 1, is_whole: false });
    await eventually(() =>
      lines.some(({ event, fields }) => event === "cluster.peer_lost" && fields?.["peer"] === "b"),
    );
    expect(lines.filter(({ event, fields }) => event === "cluster.peer_lost" && fields?.["peer"] === "b")).toHaveLength(
      1,
    );
    const health = await (await fetch(`${cluster.at("a").server.url}/healthz`)).json();
    expect(health).toMatchObject({ status: "ok", cluster: { servers: 1, peers_lost: 1, is_whole: false } });
  });

  test("is a server with other keys, which both name as a problem", async () => {
    cluster = await ServerCluster.start(["a"]);
    cluster.add("b", { apiKeys: ["another-key"], adminKeys: ["test-api-key"] });
    await cluster.settled();
    await eventually(
      async () => (await stateAt("a")).server.problems.some(({ code }) => code === "cluster_keys_differ"),
      "the problem is found",
      10_000,
    );
  }, 20_000);

  test("is a bus that is away: the link stays, the health check passes, and the page says so", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    for (const { bus } of cluster.members) bus.disconnect("no route to host");
    const seen = await eventually(async () => {
      const now = await stateAt("a");
      return now.cluster.bus.state === "away" ? now : undefined;
    });
    expect(seen.cluster).toMatchObject({ is_whole: false, peers_lost: 0, bus: { reason: "no route to host" } });
    expect(seen.cluster.servers).toMatchObject([{ id: "a" }, { id: "b", state: "alive", link: "direct" }]);
    const health = await fetch(`${cluster.at("a").server.url}/healthz`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: "ok", cluster: { bus: "away" } });
    await eventually(
      async () => (await stateAt("a")).server.problems.map(({ code }) => code).includes("bus_away"),
      "the problem is found",
      10_000,
    );
  }, 20_000);
});
