import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { type Tally, tally } from "../../support/tallied-worker.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

// The limits of keys over three server processes on a real nats-server, without a DATA_DIR.

/** The longest time until all servers know what one of them has let in, with time to spare for a busy machine. */
const NEWS_MS = 1000;
const LONG_MS = 60_000;
const PARALLEL = 4;
const keyOf = (name: string): string => `key-of-${name}-0123456789abcdef0123456789abcdef`;
const LIMITS = {
  spender: "{ tokens_per_day: 1000 }",
  restarted: "{ tokens_per_month: 1000 }",
  offline: "{ tokens_per_day: 1000 }",
  crowd: `{ parallel: ${PARALLEL} }`,
  minute: "{ requests_per_minute: 5, on_limit: refuse }",
};
type Name = keyof typeof LIMITS;
const ADMIN_KEY = "admin-key-0123456789abcdef";
const asAdmin = { headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" } };

describe.skipIf(lacks("limits of keys in a cluster", PROGRAMS.nats))("in a cluster of three servers", () => {
  const directory = temporaryDirectory();
  const file = join(directory.path, "keys.yaml");
  let cluster: ClusterProcesses;
  let seen: Tally;

  beforeAll(async () => {
    const keys = Object.entries(LIMITS).map(
      ([name, limits]) => `  - { name: ${name}, key: env:${name}, limits: ${limits} }`,
    );
    writeFileSync(file, `keys:\n${keys.join("\n")}\n`);
    const texts = Object.fromEntries(Object.keys(LIMITS).map((name) => [name, keyOf(name)]));
    cluster = await ClusterProcesses.start({
      env: { ...texts, ADMIN_KEY, KEYS_FILE: file, START_GRACE: "2s" },
    });
    seen = tally(await cluster.workerOfM(1, { max_concurrency: 100 }), { ms: 20, tokens: 400 });
  }, LONG_MS);
  afterAll(async () => {
    await cluster.stop();
    directory.remove();
  });

  const as = (name: Name): RequestInit => ({ headers: { authorization: `Bearer ${keyOf(name)}` } });
  const chat = async (
    at: number,
    name: Name,
  ): Promise<{ status: number; code: string | undefined; headers: Headers }> => {
    const response = await cluster.server(at).chat("m", {}, as(name));
    const body = (await response.json()) as { error?: { code: string } }; // the form of answers and errors is tested elsewhere
    return { status: response.status, code: body.error?.code, headers: response.headers };
  };
  /** What a server says that a key has used of its first limit. */
  const used = async (at: number, name: Name): Promise<number> => {
    const response = await cluster.server(at).fetch("/api/key", as(name));
    const { used: limits } = (await response.json()) as { used: { used: number }[] }; // its own tests check this shape
    return limits[0]?.used ?? Number.NaN;
  };
  const told = (at: number, name: Name, amount: number): Promise<unknown> =>
    eventually(async () => (await used(at, name)) === amount, `server ${at} knows of ${amount}`, 10_000);

  test(
    "a budget that is used up at one server is refused at the others",
    async () => {
      for (let each = 0; each < 3; each += 1) expect((await chat(0, "spender")).status).toBe(200);
      const spentAt = performance.now();
      for (const at of [1, 2]) await told(at, "spender", 1200);
      expect(performance.now() - spentAt).toBeLessThan(NEWS_MS);
      for (const at of [0, 1, 2])
        expect(await chat(at, "spender")).toMatchObject({ status: 429, code: "insufficient_quota" });
    },
    LONG_MS,
  );

  test(
    "of 200 chats at once over three servers, few run beyond the limit, all come to their end, and each server has its part",
    async () => {
      seen.most = 0;
      const before = seen.all;
      const ends: number[][] = [[], [], []];
      let ended = 0;
      const statuses = await Promise.all(
        Array.from({ length: 200 }, async (_, each) => {
          const { status } = await chat(each % 3, "crowd");
          ends[each % 3]?.push(ended);
          ended += 1;
          return status;
        }),
      );
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(seen.all - before).toBe(200);
      // Each server may let in the limit before it hears of the others.
      expect(seen.most).toBeLessThanOrEqual(3 * PARALLEL);
      // When half of the chats have ended, each server has had a good part of them.
      for (const each of ends) expect(each.filter((place) => place < 100).length).toBeGreaterThan(15);
    },
    LONG_MS,
  );

  test(
    "requests per minute are those of all servers, and the headers say what is left",
    async () => {
      for (let each = 0; each < 3; each += 1) expect((await chat(0, "minute")).status).toBe(200);
      await told(1, "minute", 3);
      const next = await chat(1, "minute");
      expect(next.status).toBe(200);
      expect(next.headers.get("x-ratelimit-remaining-requests")).toBe("1");
      await told(2, "minute", 4);
      expect((await chat(2, "minute")).status).toBe(200);
      await told(0, "minute", 5);
      expect(await chat(0, "minute")).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    },
    LONG_MS,
  );

  test(
    "a server that was killed and has no DATA_DIR gets back from the others what it had counted",
    async () => {
      for (let each = 0; each < 2; each += 1) expect((await chat(2, "restarted")).status).toBe(200);
      await told(0, "restarted", 800);
      await cluster.server(2).kill();
      expect(await used(0, "restarted")).toBe(800);
      await cluster.server(2).start();
      await cluster.served("m");
      await told(2, "restarted", 800);
      expect((await chat(2, "restarted")).status).toBe(200);
      for (const at of [0, 1]) await told(at, "restarted", 1200);
      for (const at of [0, 1, 2]) expect((await chat(at, "restarted")).code).toBe("insufficient_quota");
    },
    LONG_MS,
  );

  test(
    "a key that was revoked shows at every server what was used at all of them",
    async () => {
      const made = await cluster.server(0).fetch("/api/keys", {
        ...asAdmin,
        method: "POST",
        body: JSON.stringify({ name: "leaver", limits: { tokens_per_day: 100_000 } }),
      });
      const { id, key } = (await made.json()) as { id: string; key: string }; // its own tests check this shape
      const usedAt = async (at: number): Promise<number> => {
        const response = await cluster.server(at).fetch(`/api/keys/${id}`, asAdmin);
        const { used: limits } = (await response.json()) as { used: { used: number }[] };
        return limits[0]?.used ?? Number.NaN;
      };
      const holder = { headers: { authorization: `Bearer ${key}` } };
      for (const at of [0, 1]) expect((await cluster.server(at).chat("m", {}, holder)).status).toBe(200);
      for (const at of [0, 1, 2])
        await eventually(async () => (await usedAt(at)) === 800, `server ${at} knows of both`, 10_000);
      await cluster.server(0).fetch(`/api/keys/${id}`, { ...asAdmin, method: "DELETE" });
      for (const at of [0, 1, 2])
        await eventually(async () => {
          const shown = await cluster.server(at).fetch(`/api/keys/${id}`, asAdmin);
          return ((await shown.json()) as { status: string }).status === "revoked";
        }, `server ${at} knows that it was revoked`);
      expect(await Promise.all([0, 1, 2].map(usedAt))).toEqual([800, 800, 800]);
    },
    LONG_MS,
  );

  test(
    "budgets go on over the links while nats-server is gone",
    async () => {
      await cluster.formed();
      await cluster.nats.kill();
      for (let each = 0; each < 3; each += 1) expect((await chat(0, "offline")).status).toBe(200);
      for (const at of [1, 2]) await told(at, "offline", 1200);
      expect((await chat(1, "offline")).code).toBe("insufficient_quota");
      await cluster.nats.restart();
    },
    LONG_MS,
  );
});
