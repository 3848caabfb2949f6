import { describe, expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { ModelArea } from "../../../src/models/model-area.ts";
import { McpArea } from "../../../src/plugins/mcp/mcp-area.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd } from "../../../src/pool/job-spec.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { defaultConfig } from "../../support/default-config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { NOBODY } from "../../support/nobody.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";

function setUp() {
  const clock = new FakeClock();
  const sessions = new ScriptedSource(clock);
  const context = {
    config: defaultConfig(),
    deps: { clock, ids: systemIds, log: silentLog },
    metrics: createMetrics("1"),
    sessions,
    version: "1",
  };
  return { clock, sessions, context };
}

describe("an area of model workers on a source without sockets", () => {
  function setUpModels() {
    const { clock, sessions, context } = setUp();
    const area = new ModelArea({ pluginId: "llm", ...context });
    const [intake] = sessions.intakes;
    if (!intake) throw new Error("the area asked for no intake");
    const ends: JobEnd[] = [];
    const start = (model: string): void => {
      const spec = {
        requestId: "r",
        caller: ANONYMOUS,
        kind: "chat.completions",
        model,
        exact: false,
        silenceMs: 60_000,
        stallMs: 60_000,
        request: () => ({ head: { method: "POST", path: "/", headers: [] }, body: new Uint8Array(0) }),
      };
      area.began();
      new Job(
        area.pool,
        clock,
        spec,
        { onHead: () => {}, onData: () => {}, onEnd: (end) => ends.push(end) },
        (report) => area.ended({ requestId: "r", caller: NOBODY, model, report, usage: undefined, bytesIn: 0 }),
      ).start();
    };
    return { area, intake, start, ends };
  }

  test("asks for one intake, under its plugin's name", () => {
    const { intake } = setUpModels();
    expect(intake.options).toMatchObject({ pluginId: "llm" });
  });

  test("serves jobs through the sessions that it gets", () => {
    const { area, intake, start, ends } = setUpModels();
    const session = intake.join("w", ["m"], 1);
    start("m");
    const exchange = session.exchanges[0];
    exchange?.head({ status: 200, headers: [] });
    exchange?.end();
    expect(ends).toEqual([{ kind: "complete" }]);
    expect(area.state().workers).toMatchObject([{ id: "w", status: "idle", processed_total: 1 }]);
  });

  test("is notified of changed offers and ended sessions", () => {
    const { area, intake } = setUpModels();
    const session = intake.join("w", ["m"], 1);
    session.changeOffer({ models: ["n"] });
    expect(area.state().workers).toMatchObject([{ id: "w", models: ["n"] }]);
    session.close({ code: 1000, reason: "bye" });
    expect(area.state().workers).toEqual([]);
  });

  test("drains and closes through its intake", async () => {
    const { area, intake } = setUpModels();
    const session = intake.join("w", ["m"], 1);
    await area.drain();
    expect(intake.drains).toEqual(["the server is shutting down"]);
    expect(session.closes).toEqual([]);
    area.close();
    expect(intake.closes).toHaveLength(1);
    expect(area.state().workers).toEqual([]);
  });
});

test("the area of MCP relays works on a source without sockets: it finds its relays, drains and closes", async () => {
  const { sessions, context } = setUp();
  const area = new McpArea({ ...context, auth: { connectors: { isReady: true } } });
  const [intake] = sessions.intakes;
  if (!intake) throw new Error("the area asked for no intake");
  expect(intake.options).toMatchObject({ pluginId: "mcp", pool: area.relays });
  const session = intake.join("files", [], 1);
  expect(area.relays.own("files")?.session).toBe(session);
  await area.drain();
  expect(intake.drains).toEqual(["the server is shutting down"]);
  area.close();
  expect(area.relays.size).toBe(0);
});
