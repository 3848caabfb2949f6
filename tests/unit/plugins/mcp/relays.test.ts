import { describe, expect, test } from "bun:test";
import { Fault } from "../../../../src/errors.ts";
import { Restrictions } from "../../../../src/plugin/restrictions.ts";
import { Relays } from "../../../../src/plugins/mcp/relays.ts";
import type { RemoteRelay, RemoteRelays } from "../../../../src/plugins/mcp/remote-relays.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedSession } from "../../../support/scripted-session.ts";

const REJOIN_MS = 10_000;
const GRACE_MS = 5000;

/** The relays of a server, and those of others as a test tells of them. */
function setUp() {
  const clock = new FakeClock();
  const elsewhere = new Map<string, string>();
  const left = new Map<string, number>();
  const listeners: ((relayId: string | undefined) => void)[] = [];
  const sessions = new Map<string, ScriptedSession>();
  const sessionTo = (server: string): ScriptedSession => {
    const session = sessions.get(server) ?? new ScriptedSession(server, [], 1, clock);
    sessions.set(server, session);
    return session;
  };
  const remotes: RemoteRelays = {
    find(id): RemoteRelay | undefined {
      const server = elsewhere.get(id);
      return server === undefined ? undefined : { server, session: sessionTo(server), connector: undefined };
    },
    hasConnector: false,
    leftAgoMs: (id) => {
      const at = left.get(id);
      return at === undefined ? undefined : clock.elapsed() - at;
    },
    onChange: (listener) => void listeners.push(listener),
  };
  const restrictions = new Restrictions({ clock });
  const relays = new Relays({
    clock,
    rejoinMs: REJOIN_MS,
    startGraceMs: GRACE_MS,
    restrictions,
    onChange: () => {},
    remotes,
  });
  clock.advance(GRACE_MS);
  const client = new AbortController();
  return {
    clock,
    restrictions,
    relays,
    client,
    join: (id: string) => {
      const session = new ScriptedSession(id, [], 1, clock);
      session.host = relays;
      relays.onOpened(session);
      return session;
    },
    /** Tells that a relay has come to a server, or has left the one that had it. */
    move: (id: string, server: string | undefined) => {
      if (server === undefined) {
        elsewhere.delete(id);
        left.set(id, clock.elapsed());
      } else elsewhere.set(id, server);
      for (const listener of listeners) listener(id);
    },
    linksChanged: () => {
      for (const listener of listeners) listener(undefined);
    },
    elsewhere,
    find: (id: string, missedAt?: string) =>
      relays.find({ id, signal: client.signal, until: relays.searchEnd(), missedAt }).then(
        (found) => (found.kind === "here" ? "here" : found.server),
        (error: unknown) => (error instanceof Fault ? `${error.code}: ${error.message}` : error),
      ),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const UNAVAILABLE = expect.stringContaining("relay_unavailable");

describe("a relay", () => {
  test("of this server is found before one of the same id elsewhere", async () => {
    const { join, move, find } = setUp();
    move("files", "b");
    expect(await find("files")).toBe("b");
    join("files");
    expect(await find("files")).toBe("here");
  });

  test("that nobody has had lately is not waited for", async () => {
    const { clock, find } = setUp();
    const found = find("files");
    await settle();
    expect(clock.pending).toBe(0);
    expect(await found).toEqual(UNAVAILABLE);
  });

  test("that has left this server is found where it comes back", async () => {
    const { join, move, find } = setUp();
    join("files").vanish();
    const found = find("files");
    await settle();
    move("files", "c");
    expect(await found).toBe("c");
  });

  test("that has left another server is found when it comes to this one", async () => {
    const { join, move, find } = setUp();
    move("files", "b");
    move("files", undefined);
    const found = find("files");
    await settle();
    join("files");
    expect(await found).toBe("here");
  });

  test("is waited for only as long as it may need to come back", async () => {
    const { clock, move, find } = setUp();
    move("files", "b");
    move("files", undefined);
    const found = find("files");
    await settle();
    clock.advance(REJOIN_MS);
    expect(await found).toEqual(UNAVAILABLE);
    clock.advance(30_001 - REJOIN_MS);
    expect(await find("files")).toEqual(UNAVAILABLE);
    expect(clock.pending).toBe(0);
  });

  test("that a server has turned out not to have is waited for, and may come back to that server", async () => {
    const { move, find } = setUp();
    move("files", "b");
    const found = find("files", "b");
    await settle();
    move("files", "b");
    expect(await found).toBe("b");
    move("tools", "b");
    const moved = find("tools", "b");
    move("tools", "c");
    expect(await moved).toBe("c");
  });

  test("whose server becomes reachable is found", async () => {
    const { join, linksChanged, elsewhere, find } = setUp();
    join("files").vanish();
    const found = find("files");
    await settle();
    elsewhere.set("files", "b");
    linksChanged();
    expect(await found).toBe("b");
  });

  test("is not waited for by a client that has left, nor by a server that shuts down", async () => {
    const first = setUp();
    first.join("files").vanish();
    const left = first.find("files");
    await settle();
    first.client.abort();
    expect(await left).toEqual(UNAVAILABLE);
    const second = setUp();
    second.join("files").vanish();
    const found = second.find("files");
    await settle();
    second.relays.giveUpWaiting();
    expect(await found).toEqual(UNAVAILABLE);
    expect(second.clock.pending).toBe(0);
  });

  test("that an operator has blocked or drained gets no calls, wherever it is", async () => {
    const { restrictions, move, find } = setUp();
    const worker = { id: "files", name: undefined };
    move("files", "b");
    restrictions.impose("drained", worker, "admin-key:1");
    expect(await find("files")).toContain("keeps new calls from this relay");
    restrictions.impose("blocked", worker, "admin-key:1");
    expect(await find("files")).toContain("has blocked this relay");
  });
});
