import { describe, expect, test } from "bun:test";
import type { Reply } from "../../../src/doctor/http-probe.ts";
import { judgeJobs } from "../../../src/doctor/jobs.ts";
import { judgeServers } from "../../../src/doctor/servers.ts";
import { serverMark } from "../../../src/system/server-id.ts";

const reply = (text: string, status = 200): Reply => ({
  kind: "reply",
  status,
  headers: new Headers(),
  text,
  elapsedMs: 1,
});
const alone = reply('{"status":"ok"}');
const from = (server: string, more: object = {}): Reply =>
  reply(
    JSON.stringify({
      status: "ok",
      cluster: { server, servers: 2, peers_lost: 0, bus: "up", is_whole: true, ...more },
    }),
  );
const [A, B] = ["aaaaaaaa", "bbbbbbbb"];

describe("the verdict on the servers", () => {
  test("is good for one server without a cluster, and names the one that has the worker", () => {
    expect(judgeServers([alone, alone], "hub")).toEqual({
      verdict: "good",
      measured: "2 answers came from a server without a cluster; the worker is connected to hub",
    });
  });

  test("says whether answers come from different servers of a whole cluster", () => {
    expect(judgeServers([from(A), from(B), from(A)], "a")).toEqual({
      verdict: "good",
      measured:
        "3 answers came from 2 servers (aaaaaaaa, bbbbbbbb) of a cluster of 2, which is whole; the worker is connected to a",
    });
    const mark = serverMark("server3");
    expect(judgeServers([from(A), from(mark)], "server3").measured).toContain("2 servers (aaaaaaaa, server3)");
    expect(judgeServers([from(A)], undefined).measured).toBe(
      "1 answer came from one server (aaaaaaaa) of a cluster of 2, which is whole",
    );
  });

  test.each([
    ["NATS is away", [from(A, { bus: "away", is_whole: false })], "NATS cannot be reached"],
    ["a server is lost", [from(A, { peers_lost: 1, is_whole: false })], "1 more is gone without a goodbye"],
    ["a peer cannot be used", [from(A, { is_whole: false })], "not all of them work together"],
    ["the servers do not know each other", [from(A, { servers: 1 }), from(B, { servers: 1 })], "do not agree"],
    ["one of them has no cluster", [from(A), alone], "1 of 2 answers came from servers of a cluster"],
  ])("is a warning with advice if %s", (_, replies, measured) => {
    const finding = judgeServers(replies, undefined);
    expect(finding.verdict).toBe("warning");
    expect(finding.measured).toContain(measured);
    expect(finding.advice?.length).toBeGreaterThan(20);
  });

  test("repeats nothing that an answer has in another form than a server's", () => {
    for (const cluster of [{ server: "<script>" }, { server: A, servers: "many" }, [], 7])
      expect(judgeServers([reply(JSON.stringify({ status: "ok", cluster }))], undefined).measured).toBe(
        "1 answer came from a server without a cluster",
      );
  });
});

test("a job that finds no worker is blamed on servers without a cluster, or on a cluster that is not whole", () => {
  const error = { message: "", type: "invalid_request_error", param: null, code: "model_not_found" };
  const lost = reply(JSON.stringify({ error }), 404);
  expect(judgeJobs([lost], "http://hub").advice).toContain("NATS_URL");
  expect(judgeJobs([lost], "http://hub", true).advice).toContain("check Servers");
});
