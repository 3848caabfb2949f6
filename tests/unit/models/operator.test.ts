import { describe, expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { ModelArea } from "../../../src/models/model-area.ts";
import { statusOf } from "../../../src/models/worker-state.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd, JobReport } from "../../../src/pool/job-spec.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { answerWithJob } from "../../../src/reply/answer.ts";
import { dataEvent } from "../../../src/reply/sse.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { defaultConfig } from "../../support/default-config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { NOBODY } from "../../support/nobody.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";

function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 10,
    queueTimeoutMs: 60_000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
  });
  const join = (workerId: string, slots = 1): ScriptedSession => {
    const session = new ScriptedSession(workerId, ["m"], slots, clock);
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const reports: JobReport[] = [];
  const ask = (isStream = false): Promise<Response> =>
    answerWithJob(
      { pool, clock, earlyHeadersMs: 5000, keepaliveMs: 15_000 },
      {
        requestId: "r",
        signal: new AbortController().signal,
        isStream,
        spec: {
          requestId: "r",
          caller: ANONYMOUS,
          kind: "chat.completions",
          model: "m",
          exact: false,
          silenceMs: 60_000,
          stallMs: 60_000,
          request: () => ({
            head: { method: "POST", path: "/chat/completions", headers: [], timeout_ms: 60_000, stream: isStream },
            body: new Uint8Array(0),
          }),
        },
        errorEvent: (fault) => dataEvent(fault.body()),
        observe: () => {},
        onReport: (report) => reports.push(report),
      },
    );
  const ids = (): readonly string[] => Array.from(pool.jobs.all(), (job) => job.facts().id);
  return { clock, pool, join, ask, ids, reports };
}

/** A plugin's area on a source of scripted sessions. */
function setUpPlugin() {
  const clock = new FakeClock();
  const metrics = createMetrics("1");
  const deps = { clock, ids: systemIds, log: silentLog };
  const sessions = new ScriptedSource(clock);
  const area = new ModelArea({ pluginId: "llm", config: defaultConfig(), deps, metrics, sessions, version: "1" });
  const join = (workerId: string): ScriptedSession => {
    const [intake] = sessions.intakes;
    if (!intake) throw new Error("the area asked for no intake");
    return intake.join(workerId, ["m"], 1);
  };
  const ends: JobEnd[] = [];
  const begin = (): void => {
    const spec = {
      requestId: "r",
      caller: ANONYMOUS,
      kind: "chat.completions",
      model: "m",
      exact: false,
      silenceMs: 60_000,
      stallMs: 60_000,
      request: () => ({
        head: { method: "POST", path: "/", headers: [], timeout_ms: 60_000, stream: false },
        body: new Uint8Array(0),
      }),
    };
    const sink = { onHead: () => {}, onData: () => {}, onEnd: (end: JobEnd) => ends.push(end) };
    const ended = (report: JobReport): void =>
      area.ended({ requestId: "r", caller: NOBODY, model: "m", report, usage: undefined, bytesIn: 0 });
    area.began();
    new Job(area.pool, clock, spec, sink, ended).start();
  };
  return { area, join, begin, ends };
}

const codeOf = (answer: Promise<Response>): Promise<string> =>
  answer.then(
    () => "an answer",
    (error) => (error instanceof Fault ? error.code : "no fault"),
  );

describe("a job that an operator cancels", () => {
  test("ends for its worker and its client, who learns the reason", async () => {
    const { pool, join, ask, ids, reports } = setUp();
    const worker = join("w");
    const answer = ask();
    const [id = ""] = ids();
    expect(pool.jobs.cancel(id)).toBe(true);
    expect(worker.exchanges[0]?.cancelled).toEqual(["canceled"]);
    // The worker may still be generating: its slot is free when it has confirmed.
    expect(pool.busyTotal).toBe(1);
    worker.exchanges[0]?.confirm();
    expect(pool.busyTotal).toBe(0);
    expect(await codeOf(answer)).toBe("canceled_by_operator");
    expect(reports).toHaveLength(1);
    expect(ids()).toEqual([]);
    expect(pool.jobs.cancel(id)).toBe(false);
  });

  test("leaves the queue", async () => {
    const { pool, join, ask, ids } = setUp();
    join("w");
    const first = ask();
    const second = ask();
    expect(pool.queueLength).toBe(1);
    expect(pool.jobs.cancel(ids()[1] ?? "")).toBe(true);
    expect(await codeOf(second)).toBe("canceled_by_operator");
    expect(pool.queueLength).toBe(0);
    expect(ids()).toHaveLength(1);
    void first;
  });

  test("sends an error event to a client whose stream has begun", async () => {
    const { pool, join, ask, ids } = setUp();
    const worker = join("w");
    const answer = ask(true);
    const exchange = worker.exchanges[0];
    exchange?.head({ status: 200, headers: [["content-type", "text/event-stream"]] });
    exchange?.data(new TextEncoder().encode("data: 1\n\n"));
    const response = await answer;
    pool.jobs.cancel(ids()[0] ?? "");
    const text = await response.text();
    expect(text).toStartWith("data: 1\n\n");
    expect(text).toContain('"code":"canceled_by_operator"');
    expect(text).not.toContain("[DONE]");
  });

  test("has an id that no other pool, start or server uses", () => {
    const { clock, join, ask, ids } = setUp();
    join("w", 3);
    void ask();
    void ask();
    const other = new Pool({ clock, queueSize: 1, queueTimeoutMs: 1, modelGraceMs: 1, serverId: "s1", name: "asr" });
    clock.advance(1);
    const later = new Pool({ clock, queueSize: 1, queueTimeoutMs: 1, modelGraceMs: 1, serverId: "s1", name: "llm" });
    const nothing = {
      requestId: "r",
      isWaiting: false,
      ticket: { caller: ANONYMOUS, class: "normal", endUser: undefined, arrivedAt: 0 },
      model: "m",
      bytesOut: 0,
      claim: undefined,
      outputForm: undefined,
      cancel: () => {},
      facts: () => ({}) as never, // Only its id is looked at.
    } as const;
    const elsewhere = new Pool({
      clock,
      queueSize: 1,
      queueTimeoutMs: 1,
      modelGraceMs: 1,
      serverId: "s2",
      name: "llm",
    });
    const all = [
      ...ids(),
      elsewhere.jobs.register(nothing),
      other.jobs.register(nothing),
      later.jobs.register(nothing),
    ];
    expect(new Set(all).size).toBe(5);
    for (const id of all) expect(encodeURIComponent(id)).toBe(id);
    expect(all[0]).toMatch(/^s1~llm-[0-9a-z]+-1$/);
  });
});

test("a job that an operator cancels counts as nobody's failure", () => {
  const { area, join, begin, ends } = setUpPlugin();
  join("w");
  begin();
  const [job] = area.state().jobs;
  expect(area.cancelJob(job?.id ?? "")).toBe(true);
  expect(ends).toMatchObject([{ kind: "failed", fault: { code: "canceled_by_operator" } }]);
  const { server, workers } = area.state();
  expect(server).toMatchObject({ jobs_inflight_total: 0, jobs_failed_total: 0 });
  expect(workers[0]).toMatchObject({ failures_total: 0, last_error: null });
  expect(area.pulse()).toMatchObject({ requests: 1, failures: 0 });
  expect(area.cancelJob("llm-none-1")).toBe(false);
});

test("a worker that an operator disconnects is asked to reconnect, and stays drained while it is away", () => {
  const { area, join } = setUpPlugin();
  const worker = join("w");
  expect(area.workers.drainWorker("w", true, "admin-key:1")).toBe(true);
  expect(area.state().workers[0]).toMatchObject({ operator_drained: true, status: "draining" });
  expect(area.workers.disconnectWorker("w")).toBe(true);
  expect(worker.closes).toEqual([{ code: 1012, reason: "disconnected by an operator" }]);
  expect(area.state().workers).toEqual([]);
  expect(area.workers.disconnectWorker("w")).toBe(false);
  const drained = { since: expect.stringMatching(/^20.*Z$/), by: "admin-key:1" };
  const restriction = { id: "w", name: "w", drained, blocked: null };
  expect(area.state().restrictions).toEqual([{ ...restriction, connected: false }]);
  join("w");
  expect(area.state().restrictions).toEqual([{ ...restriction, connected: true }]);
  expect(area.state().workers[0]).toMatchObject({ operator_drained: true, status: "draining" });
  const before = area.revision;
  expect(area.workers.drainWorker("w", false, "sign-in")).toBe(true);
  expect(area.revision).toBeGreaterThan(before);
  expect(area.state()).toMatchObject({ restrictions: [], workers: [{ operator_drained: false, status: "idle" }] });
  expect(area.workers.drainWorker("nobody", true, "sign-in")).toBe(false);
});

describe("a worker that an operator drains", () => {
  test("gets no more jobs, keeps running ones, and serves again when the drain is cancelled", () => {
    const { pool, join, ask } = setUp();
    const worker = join("w", 2);
    void ask();
    const before = pool.revision;
    expect(pool.setDrained("w", true)).toBe(true);
    expect(pool.revision).toBeGreaterThan(before);
    const seat = pool.seatOf("w");
    expect(seat && statusOf(seat)).toBe("draining");
    void ask();
    expect(worker.exchanges).toHaveLength(1);
    expect(worker.exchanges[0]?.cancelled).toEqual([]);
    expect(pool.queueLength).toBe(1);
    expect(pool.setDrained("w", false)).toBe(true);
    expect(worker.exchanges).toHaveLength(2);
    expect(pool.queueLength).toBe(0);
    expect(seat && statusOf(seat)).toBe("working");
  });

  test("leaves new jobs to the others", () => {
    const { pool, join, ask } = setUp();
    const [one, two] = [join("one", 5), join("two", 5)];
    pool.setDrained("one", true);
    for (let job = 0; job < 4; job += 1) void ask();
    expect(one.exchanges).toHaveLength(0);
    expect(two.exchanges).toHaveLength(4);
  });

  test("stays drained whatever it reports, for as long as its session lasts", () => {
    const { pool, join } = setUp();
    const worker = join("w");
    pool.setDrained("w", true);
    worker.offer = { ...worker.offer, maxConcurrency: 7 };
    pool.onOfferChange(worker);
    expect(pool.seatOf("w")).toMatchObject({ isDrained: true, capacity: 0 });
    join("w", 3);
    expect(pool.seatOf("w")).toMatchObject({ isDrained: false, capacity: 3 });
  });

  test("must be connected", () => {
    expect(setUp().pool.setDrained("nobody", true)).toBe(false);
  });
});
