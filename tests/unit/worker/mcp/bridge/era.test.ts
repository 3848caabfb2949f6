import { describe, expect, test } from "bun:test";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { EraProbe, statelessVersions } from "../../../../../src/worker/mcp/bridge/era.ts";
import type { PeerEvents } from "../../../../../src/worker/mcp/bridge/peer.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const answer = (part: object): object => ({ jsonrpc: "2.0", id: "era", ...part });
const refused = (data: unknown, code = -32_022): object => answer({ error: { code, message: "no", data } });

test.each([
  [
    answer({ result: { supportedVersions: ["2025-11-25", "2026-07-28", "2027-01-01", 5] } }),
    ["2026-07-28", "2027-01-01"],
  ],
  [refused({ supported: ["2027-01-01"] }), ["2027-01-01"]],
  [refused({ supported: ["2025-11-25"] }), []],
  [refused({ supported: ["2027-01-01"] }, -32_601), []],
  [answer({ result: {} }), []],
  [refused(undefined), []],
  [undefined, []],
])("the answer %j lists the stateless versions %j", (said, versions) => {
  expect(statelessVersions(said)).toEqual(versions);
});

describe("an MCP server that is asked for its stateless versions", () => {
  function probe(): { readonly probe: EraProbe; readonly clock: FakeClock; readonly peers: Asked[] } {
    const clock = new FakeClock();
    const peers: Asked[] = [];
    const openPeer = (events: PeerEvents) => {
      const asked: Asked = { events, sent: [], isClosed: false };
      peers.push(asked);
      return {
        send: (message: JSONRPCMessage) => asked.sent.push(message) > 0,
        isFull: false,
        close: async () => {
          asked.isClosed = true;
        },
      };
    };
    return { probe: new EraProbe(openPeer, clock), clock, peers };
  }
  interface Asked {
    readonly events: PeerEvents;
    readonly sent: JSONRPCMessage[];
    isClosed: boolean;
  }

  test("is asked once for all requests, and stopped when it has answered", async () => {
    const { probe: era, clock, peers } = probe();
    const both = [era.versions(), era.versions()];
    expect(peers).toHaveLength(1);
    expect(peers[0]?.sent).toMatchObject([{ method: "server/discover" }]);
    peers[0]?.events.onMessage({ jsonrpc: "2.0", method: "notifications/message" });
    peers[0]?.events.onMessage({ jsonrpc: "2.0", id: "era", result: { supportedVersions: ["2026-07-28"] } });
    expect(await Promise.all(both)).toEqual([["2026-07-28"], ["2026-07-28"]]);
    expect(peers[0]?.isClosed).toBe(true);
    clock.advance(24 * 60 * 60_000);
    expect(await era.versions()).toEqual(["2026-07-28"]);
    expect([peers.length, clock.pending]).toEqual([1, 0]);
  });

  test("and does not answer in time, or exits, counts as having none for a minute, and is then asked again", async () => {
    const { probe: era, clock, peers } = probe();
    const late = era.versions();
    clock.advance(20_000);
    expect(await late).toEqual([]);
    expect(peers[0]?.isClosed).toBe(true);
    clock.advance(59_999);
    expect(await era.versions()).toEqual([]);
    expect(peers).toHaveLength(1);
    clock.advance(1);
    const again = era.versions();
    peers[1]?.events.onExit("it ended");
    expect(await again).toEqual([]);
    expect(peers).toHaveLength(2);
  });

  test("and is stopped meanwhile is released", async () => {
    const { probe: era, peers } = probe();
    const waiting = era.versions();
    await era.close();
    expect(peers[0]?.isClosed).toBe(true);
    expect(await waiting).toEqual([]);
  });
});
