import { describe, expect, test } from "bun:test";
import { Fault } from "../../../src/errors.ts";
import type { Plugin } from "../../../src/plugin/contract.ts";
import { createRoutes } from "../../../src/plugin/route-context.ts";
import { ACTIONS } from "../../../src/state/actions.ts";
import { ClusterActions } from "../../../src/state/cluster-actions.ts";
import { createLog } from "../../../src/system/log.ts";
import { PortsNetwork } from "../../support/scripted-ports.ts";

/** Three servers, each with a plugin that has some workers and one job. */
function setUp() {
  const network = new PortsNetwork();
  const lines: Record<string, unknown>[] = [];
  const start = (serverId: string) => {
    const ports = network.join(serverId);
    const done: string[] = [];
    const here = new Set<string>();
    const knows = (id: string): boolean => here.has(id) || ports.workersOf("llm").serverOf(id) !== undefined;
    const log = createLog({
      level: "debug",
      format: "json",
      write: (line) => lines.push({ ...JSON.parse(line), at: serverId }),
      now: Date.now,
    });
    const plugin: Plugin = {
      id: "llm",
      routes: createRoutes(),
      workers: {
        knowsWorker: knows,
        drainWorker: (id, on, by) => {
          if (id === "full") throw new Fault("invalid_request", { message: "Too many are drained." });
          if (knows(id)) done.push(`${on ? "drain" : "undrain"} ${id} by ${by}`);
          return knows(id);
        },
        blockWorker: (id, on, by) => {
          done.push(`${on ? "block" : "unblock"} ${id} by ${by}`);
          return true;
        },
        disconnectWorker: (id) => {
          if (here.has(id)) done.push(`disconnect ${id}`);
          return here.has(id);
        },
      },
      jobs: {
        cancelJob: (id) => {
          if (id === `${serverId}~llm-1`) done.push(`cancel ${id}`);
          return id === `${serverId}~llm-1`;
        },
      },
    };
    const actions = new ClusterActions({ cluster: ports, plugins: [plugin], log });
    const run = (name: string, id: string) => {
      const action = ACTIONS.find((each) => each.name === name);
      if (!action) throw new Error(`no action ${name}`);
      return actions.carryOut({ action, id, plugins: [plugin], by: "admin-key:1", requestId: "r1" }).catch((error) => {
        if (error instanceof Fault) return `${error.code}: ${error.message}`;
        throw error;
      });
    };
    const join = (id: string): void => {
      here.add(id);
      network.move("llm", id, serverId);
    };
    return { ports, done, run, join };
  };
  const [a, b, c] = [start("a"), start("b"), start("c")];
  return { network, lines, a, b, c };
}

describe("an operator's action at another server than the worker's", () => {
  test("drains the worker on every server, so that it stays drained wherever it goes", async () => {
    const { a, b, c } = setUp();
    b.join("w");
    expect(await a.run("drain", "w")).toEqual({ plugins: ["llm"], servers: ["a", "b", "c"], unanswered: [] });
    for (const { done } of [a, b, c]) expect(done).toEqual(["drain w by admin-key:1"]);
  });

  test("disconnects it on its own server, which alone has acted", async () => {
    const { a, b, c } = setUp();
    b.join("w");
    expect(await a.run("disconnect", "w")).toEqual({ plugins: ["llm"], servers: ["b"], unanswered: [] });
    expect([a.done, b.done, c.done]).toEqual([[], ["disconnect w"], []]);
  });

  test("is for one server if the id names it", async () => {
    const { network, a, b, c } = setUp();
    b.join("w");
    await a.run("drain", "b~w");
    expect([a.done, b.done, c.done]).toEqual([[], ["drain w by admin-key:1"], []]);
    expect(network.asked).toEqual(["a b act"]);
  });

  test("is logged once by each other server that has acted, with the operator and the server that asked", async () => {
    const { lines, a, b } = setUp();
    b.join("w");
    await a.run("disconnect", "w");
    expect(lines).toMatchObject([
      { at: "b", event: "operator.action", caller: "admin-key:1", request: "r1", asked_by: "a", target: "worker w" },
    ]);
  });

  test("fails and names the worker's server if that does not answer", async () => {
    const { a, b } = setUp();
    b.join("w");
    b.ports.isSilent = true;
    const failed = await a.run("drain", "w");
    expect(failed).toContain("server_not_answering: The server 'b' did not answer");
    expect(failed).toContain("These have acted: a, c.");
  });

  test("succeeds if another server than the worker's does not answer, and names that", async () => {
    const { a, b, c } = setUp();
    b.join("w");
    c.ports.isSilent = true;
    expect(await a.run("drain", "w")).toEqual({ plugins: ["llm"], servers: ["a", "b"], unanswered: ["c"] });
  });

  test("on an id that nobody knows finds nothing, unless a server has not answered", async () => {
    const { network, a, c } = setUp();
    expect(await a.run("drain", "w")).toEqual({ plugins: [], servers: [], unanswered: [] });
    c.ports.isSilent = true;
    expect(await a.run("drain", "w")).toContain("The server 'c' did not answer");
    network.leave("c");
    expect(await a.run("drain", "w")).toMatchObject({ servers: [] });
  });

  test("is refused as the worker's server would refuse it", async () => {
    const { a, b } = setUp();
    b.join("full");
    expect(await a.run("drain", "b~full")).toBe("invalid_request: Too many are drained.");
  });
});

describe("cancelling a job", () => {
  test("asks the server that its id names, and no other", async () => {
    const { network, a, b } = setUp();
    expect(await a.run("cancel", "b~llm-1")).toEqual({ plugins: ["llm"], servers: ["b"], unanswered: [] });
    expect(b.done).toEqual(["cancel b~llm-1"]);
    expect(network.asked).toEqual(["a b act"]);
    expect(await a.run("cancel", "a~llm-1")).toMatchObject({ servers: ["a"] });
    expect(network.asked).toHaveLength(1);
  });

  test("of a server that is gone finds nothing; of one that does not answer, the outcome is not known", async () => {
    const { network, a, b } = setUp();
    b.ports.isSilent = true;
    expect(await a.run("cancel", "b~llm-1")).toContain("The server 'b' did not answer");
    network.leave("b");
    expect(await a.run("cancel", "b~llm-1")).toMatchObject({ servers: [] });
    expect(await a.run("cancel", "llm-1")).toMatchObject({ servers: [] });
  });
});

test.each([
  null,
  {},
  { action: "drain", target: "job", id: "w", plugins: [], by: "x", request: "r" },
  { action: "cancel" },
])("an order that cannot be read fails: %j", async (body) => {
  const { a, b } = setUp();
  expect(await a.ports.calls.ask("b", "act", body, 2000)).toEqual({ kind: "failed" });
  expect(b.done).toEqual([]);
});
