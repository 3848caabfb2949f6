import { afterEach, describe, expect, test } from "bun:test";
import { MAX_MESSAGE_BYTES } from "../../../src/cluster/bus.ts";
import { NatsBus, type NatsBusOptions } from "../../../src/cluster/nats/nats-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { busOptions } from "../../support/nats-bus.ts";
import { threeNodes } from "../../support/nats-nodes.ts";
import { createNatsAccount } from "../../support/nats-operator.ts";
import { TestNats, type TestNatsOptions } from "../../support/nats-server.ts";
import { freePort } from "../../support/proxy.ts";
import { createSelfSigned } from "../../support/self-signed.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";

/** A frozen server is noticed after two to three pings; the machine may be busy. */
const NOTICE_MS = 20_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const nats = await TestNats.start(options);
  ends.push(() => nats.stop());
  return nats;
}

function open(
  urls: string,
  options: Partial<NatsBusOptions> = {},
): { readonly bus: NatsBus; readonly lines: string[] } {
  const lines: string[] = [];
  const bus = new NatsBus({ ...busOptions(urls, "test", lines), ...options });
  ends.push(() => bus.close());
  return { bus, lines };
}

async function isUp(bus: NatsBus): Promise<void> {
  await eventually(() => bus.state.kind === "up", "the bus is up", NOTICE_MS);
}

async function isDown(bus: NatsBus): Promise<string> {
  await eventually(() => bus.state.kind === "down", "the bus is down", NOTICE_MS);
  return bus.state.kind === "down" ? bus.state.reason : "";
}

/** Resolves when a message of the first bus arrives at the second. */
async function reaches(from: NatsBus, to: NatsBus): Promise<void> {
  let isThere = false;
  const end = to.subscribe("moorage.test.x", () => {
    isThere = true;
  });
  await eventually(
    () => {
      from.publish("moorage.test.x", Buffer.from("x"));
      return isThere;
    },
    "a message has arrived",
    NOTICE_MS,
  );
  end();
}

describe.skipIf(lacks("the bus on a real nats-server", PROGRAMS.nats))("the bus on NATS", () => {
  test("starts without a server, and is up once there is one", async () => {
    const port = await freePort();
    const { bus } = open(`nats://moorage:loopback-only@127.0.0.1:${port}`);
    await eventually(() => bus.state.kind === "down" && bus.state.reason === "connection refused", "it was tried");
    await startNats({ port });
    await isUp(bus);
    expect(bus.address).toBe(`127.0.0.1:${port}`);
  });

  test.each([
    ["is killed", (nats: TestNats) => nats.kill()],
    ["is restarted in order", () => Promise.resolve()],
  ])("comes back by itself when nats-server %s, with nothing of what was published meanwhile", async (_how, harm) => {
    const nats = await startNats();
    const [{ bus: a }, { bus: b }] = [open(nats.url), open(nats.url)];
    await isUp(a);
    await isUp(b);
    const heard: string[] = [];
    b.subscribe("s", ({ bytes }) => heard.push(Buffer.from(bytes).toString()));
    await harm(nats);
    const restarted = nats.restart();
    await isDown(a);
    for (let n = 0; n < 1000; n += 1) a.publish("s", Buffer.from("meanwhile"));
    await restarted;
    await isUp(a);
    await isUp(b);
    await reaches(a, b);
    a.publish("s", Buffer.from("after"));
    await eventually(() => heard.length > 0);
    expect(heard).toEqual(["after"]);
  });

  test("notices a server that is frozen, holds a bounded amount for it, and is back when it runs on", async () => {
    const nats = await startNats();
    const [{ bus: a }, { bus: b }] = [open(nats.url), open(nats.url)];
    await isUp(a);
    await isUp(b);
    nats.freeze();
    const large = new Uint8Array(MAX_MESSAGE_BYTES);
    const results = Array.from({ length: 200 }, () => a.publish("s", large));
    expect(results.filter((result) => result === "sent").length).toBeLessThan(100);
    expect(results.at(-1)).toBe("full");
    expect(await a.request("s", large, 1000)).toEqual({ kind: "full" });
    expect(await b.request("s", Buffer.from(""), 50)).toEqual({ kind: "late" });
    await isDown(a);
    nats.thaw();
    await isUp(a);
    await isUp(b);
    await reaches(a, b);
  });

  test("notices a line that falls silent", async () => {
    const nats = await startNats();
    const proxy = await TcpProxy.start(`http://127.0.0.1:${nats.port}`);
    ends.push(() => proxy.stop());
    const { bus } = open(nats.url.replace(/\d+$/, new URL(proxy.url).port));
    await isUp(bus);
    proxy.swallow();
    await isDown(bus);
    await isUp(bus);
  });

  test("goes on trying with a wrong password, which no log line contains, and gets in once it is right", async () => {
    const port = await freePort();
    const users = (password: string): string => `authorization { user: moorage, password: "${password}" }\n`;
    const first = await startNats({ port, config: users("another") });
    const { bus, lines } = open(`nats://moorage:hush-hush@127.0.0.1:${port}`);
    await eventually(() => bus.state.kind === "down" && /authorization/i.test(bus.state.reason), "it was refused");
    await first.stop();
    await startNats({ port, config: users("hush-hush") });
    await isUp(bus);
    expect(lines.join("\n")).toContain("Authorization Violation");
    expect(lines.join("\n")).not.toContain("hush");
  });

  test("signs in with a token, and with a percent-encoded password", async () => {
    const byToken = await startNats({ config: 'authorization { token: "t@k,n" }\n' });
    const byPassword = await startNats({ config: 'authorization { user: "a b", password: "p@:/,w" }\n' });
    await isUp(open(`nats://t%40k%2Cn@127.0.0.1:${byToken.port}`).bus);
    await isUp(open(`nats://a%20b:p%40%3A%2F%2Cw@localhost:${byPassword.port}`).bus);
  });

  test("signs in with a credentials file, which is read again for each connection", async () => {
    const { config, credentials } = createNatsAccount();
    const nats = await startNats({ config });
    let file = "";
    const { bus, lines } = open(`nats://127.0.0.1:${nats.port}`, { readCredentials: () => file });
    await eventually(() => bus.state.kind === "down" && bus.state.reason !== "not connected yet", "it was tried");
    file = credentials;
    await isUp(bus);
    const seed = credentials.split("\n").find((line) => line.startsWith("SU")) ?? expect.unreachable();
    expect(lines.join("\n")).not.toContain(seed);
  });

  describe.skipIf(lacks("NATS over TLS", PROGRAMS.openssl))("over TLS", () => {
    test("accepts the authority that it was given, and no other", async () => {
      const tls = createSelfSigned(2);
      ends.push(() => tls.remove());
      const keyPath = tls.certPath.replace("cert.pem", "key.pem");
      const config = `tls { cert_file: "${tls.certPath}", key_file: "${keyPath}" }\n`;
      const nats = await startNats({ config });
      const [a, b] = [1, 2].map(() => open(`tls://127.0.0.1:${nats.port}`, { readAuthority: () => tls.cert }).bus);
      if (!a || !b) throw new Error("there are two");
      await isUp(a);
      await isUp(b);
      await reaches(a, b);
      await nats.kill();
      await nats.restart();
      await isUp(a);
      const { bus: stranger } = open(`tls://127.0.0.1:${nats.port}`);
      await eventually(
        () => stranger.state.kind === "down" && /certificate/i.test(stranger.state.reason),
        "the certificate was refused",
      );
    });

    test("is not given up for a server that offers none", async () => {
      const nats = await startNats();
      const { bus } = open(nats.url.replace("nats://", "tls://"));
      await eventually(() => bus.state.kind === "down" && bus.state.reason.includes("tls"), "it was refused");
      const { bus: withAuthority } = open(nats.url, { readAuthority: () => "" });
      await eventually(
        () => withAuthority.state.kind === "down" && withAuthority.state.reason.includes("tls"),
        "it was refused",
      );
    });
  });

  describe("on three servers of one NATS cluster", () => {
    async function startThree(): Promise<readonly TestNats[]> {
      const config = `authorization { user: moorage, password: "loopback-only" }
lame_duck_grace_period: "0s"
lame_duck_duration: "30s"`;
      return Promise.all((await threeNodes(() => config)).map((node) => startNats(node)));
    }
    const used = (all: readonly TestNats[], bus: NatsBus): TestNats => {
      const found = all.find(({ port }) => bus.address === `127.0.0.1:${port}`);
      return found ?? expect.unreachable();
    };

    test("moves to another one when its own is killed, though it was told of one alone", async () => {
      const all = await startThree();
      const [first] = all;
      if (!first) throw new Error("there are three");
      const { bus } = open(first.url);
      await isUp(bus);
      // Nodes tell their clients of the others once they have met.
      await eventually(() => (bus.connection?.info?.connect_urls?.length ?? 0) === 3, "the nodes have met");
      const states: string[] = [];
      bus.onState(({ kind }) => states.push(kind));
      await first.kill();
      await eventually(() => states.length === 2, "it has moved", NOTICE_MS);
      expect(states).toEqual(["down", "up"]);
      expect(used(all, bus)).not.toBe(first);
    });

    test("moves to another one before its own ends, without having been down", async () => {
      const all = await startThree();
      const { bus: a } = open(all.map(({ url }) => url).join(","));
      const { bus: b } = open(all.map(({ url }) => url).join(","));
      await isUp(a);
      await isUp(b);
      const states: string[] = [];
      a.onState(({ kind }) => states.push(kind));
      const last = used(all, a);
      process.kill(last.pid, "SIGUSR2");
      await eventually(() => a.address !== `127.0.0.1:${last.port}`, "it has moved", NOTICE_MS);
      await reaches(a, b);
      await reaches(b, a);
      await last.kill();
      await reaches(a, b);
      expect(states).toEqual([]);
    });
  });

  test("needs no more permissions than its own subjects and inbox, and reports what it lacks", async () => {
    const nats = await startNats({
      config: `authorization { users: [ { user: moorage, password: pw, permissions: {
        publish: ["moorage.test.>", "_INBOX_moorage.>"], subscribe: ["moorage.test.>", "_INBOX_moorage.>"] } } ] }
`,
    });
    const url = `nats://moorage:pw@127.0.0.1:${nats.port}`;
    const [{ bus: a, lines }, { bus: b }] = [open(url), open(url)];
    await isUp(a);
    await isUp(b);
    b.subscribe("moorage.test.ask", (message) => message.respond(Buffer.from("ok")));
    await reaches(a, b);
    expect((await a.request("moorage.test.ask", Buffer.from(""), 2000)).kind).toBe("reply");
    expect(a.forbidden).toEqual([]);
    a.subscribe("other.x", () => {});
    a.publish("other.y", Buffer.from("x"));
    a.publish("other.y", Buffer.from("x"));
    await eventually(() => a.forbidden.length === 2, "both were refused");
    expect(a.forbidden.toSorted()).toEqual(["publish other.y", "subscription other.x"]);
    expect(lines.filter((line) => line.includes("bus.forbidden"))).toHaveLength(2);
    expect(a.state.kind).toBe("up");
  });

  test("keeps to the message size of a server that takes less", async () => {
    const nats = await startNats({ config: "max_payload: 1024\n" });
    const { bus, lines } = open(`nats://127.0.0.1:${nats.port}`);
    await isUp(bus);
    expect(bus.publish("s", new Uint8Array(1024))).toBe("sent");
    expect(bus.publish("s", new Uint8Array(1025))).toBe("too_large");
    expect(lines.some((line) => line.includes("bus.messages_limited"))).toBe(true);
  });

  test("survives a listener that throws", async () => {
    const nats = await startNats();
    const [{ bus: a }, { bus: b, lines }] = [open(nats.url), open(nats.url)];
    await isUp(a);
    await isUp(b);
    b.subscribe("s", () => {
      throw new Error("broken");
    });
    await reaches(a, b);
    a.publish("s", Buffer.from("x"));
    await eventually(() => lines.some((line) => line.includes("bus.listener_failed")), "it was logged");
    expect(b.state.kind).toBe("up");
    await reaches(a, b);
  });

  test("sends what was published before it was closed, and closes although its server is frozen", async () => {
    const nats = await startNats();
    const [{ bus: a }, { bus: b }] = [open(nats.url), open(nats.url)];
    await isUp(a);
    await isUp(b);
    const heard: string[] = [];
    b.subscribe("s", ({ bytes }) => heard.push(Buffer.from(bytes).toString()));
    await reaches(a, b);
    a.publish("s", Buffer.from("bye"));
    await a.close();
    expect(a.state).toEqual({ kind: "closed" });
    await eventually(() => heard.length === 1, "the last message has arrived");
    nats.freeze();
    await b.close();
  });
});
