import { describe, expect, test } from "bun:test";
import { type SignOutPeers, shareSignOuts } from "../../../src/auth/sign-out-sharing.ts";
import { SignOuts } from "../../../src/auth/sign-outs.ts";
import { FakeClock } from "../../support/fake-clock.ts";

interface Server {
  readonly signOuts: SignOuts;
  readonly answers: Map<string, (body: unknown) => unknown>;
  readonly came: ((serverId: string) => void)[];
  /** How many of the next questions to it get lost. */
  deaf: number;
}

/** Servers that share their sign-outs; `names` are those that know each other from the start. */
function cluster(...names: readonly string[]) {
  const clock = new FakeClock();
  const servers = new Map<string, Server>();
  const join = (name: string): Server => {
    const server: Server = { signOuts: new SignOuts({ clock }), answers: new Map(), came: [], deaf: 0 };
    const peers: SignOutPeers = {
      ids: () => [...servers.keys()].filter((id) => id !== name),
      onCame: (listener) => void server.came.push(listener),
      async ask(serverId, kind, body) {
        const other = servers.get(serverId);
        if (!other) return undefined;
        if (other.deaf > 0) {
          other.deaf -= 1;
          return undefined;
        }
        return JSON.parse(JSON.stringify(other.answers.get(kind)?.(JSON.parse(JSON.stringify(body))) ?? null));
      },
      answer: (kind, handler) => void server.answers.set(kind, handler),
    };
    shareSignOuts(server.signOuts, peers, () => clock.now());
    servers.set(name, server);
    return server;
  };
  const [one, two] = names.map(join);
  if (!one || !two) throw new Error("a cluster has two servers or more");
  return { clock, servers, join, one, two, signOut: (id: string) => ({ id, endsAt: clock.now() + 1000 }) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a sign-out", () => {
  test("holds on every server", async () => {
    const { one, two, signOut } = cluster("one", "two");
    one.signOuts.add(signOut("a"));
    await settle();
    expect(two.signOuts.has(signOut("a"))).toBe(true);
  });

  test("is told again to a server that has not answered", async () => {
    const { one, two, signOut } = cluster("one", "two");
    two.deaf = 2;
    one.signOuts.add(signOut("a"));
    await settle();
    expect(two.signOuts.has(signOut("a"))).toBe(true);
  });

  test("is known to a server that comes later", async () => {
    const { one, join, signOut } = cluster("one", "two");
    one.signOuts.add(signOut("a"));
    const late = join("late");
    for (const listener of late.came) listener("one");
    await settle();
    expect(late.signOuts.has(signOut("a"))).toBe(true);
  });

  test.each([
    null,
    "a",
    {},
    { id: "a" },
    { id: "", ends_at: 1 },
    { id: "a", ends_at: 9e15 },
    { id: "x".repeat(65), ends_at: 1 },
  ])("that another server tells as %j is ignored", (body) => {
    const { one } = cluster("one", "two");
    expect(one.answers.get("sign_out")?.(body)).toEqual({ taken: false });
    expect(one.signOuts.all()).toEqual([]);
  });
});
