import { afterEach, describe, expect, test } from "bun:test";
import { Kvm } from "@nats-io/kv";
import { createBucketOpener } from "../../../src/cluster/nats/kv-bucket.ts";
import { NatsBus } from "../../../src/cluster/nats/nats-bus.ts";
import { RecordKeeper } from "../../../src/cluster/records/record-keeper.ts";
import { RecordTable } from "../../../src/cluster/records/record-table.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { busOptions } from "../../support/nats-bus.ts";
import { threeNodes } from "../../support/nats-nodes.ts";
import { TestNats, type TestNatsOptions } from "../../support/nats-server.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Elections among NATS servers take seconds, in which requests to JetStream time out after 5 s each. */
const PATIENCE_MS = 60_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const nats = await TestNats.start(options);
  ends.push(() => nats.stop());
  return nats;
}

interface Server {
  readonly bus: NatsBus;
  readonly table: RecordTable;
  readonly keeper: RecordKeeper;
  readonly told: string[];
  readonly lines: string[];
}

function start(url: string): Server {
  const lines: string[] = [];
  const options = busOptions(url, "test", lines);
  const { clock, log } = options;
  const bus = new NatsBus(options);
  const table = new RecordTable();
  const told: string[] = [];
  table.onChange("", (key, value) => told.push(`${key}=${value ?? "-"}`));
  const open = createBucketOpener({ connection: () => bus.connection, name: "moorage_test", clock });
  const keeper = new RecordKeeper({ table, bus, open, clock, log });
  ends.push(async () => {
    await keeper.close();
    await bus.close();
  });
  return { bus, table, keeper, told, lines };
}

async function haveLoaded(...servers: readonly Pick<Server, "table">[]): Promise<void> {
  await eventually(() => servers.every(({ table }) => table.hasLoaded), "the records were read", PATIENCE_MS);
}

async function agree(servers: readonly Server[], records: Readonly<Record<string, string>>): Promise<void> {
  const isSame = ({ table }: Server): boolean =>
    table.pending === 0 && Bun.deepEquals(Object.fromEntries([...table.entries("")].toSorted()), records);
  await eventually(() => servers.every(isSame), "all servers have the records", PATIENCE_MS);
}

describe.skipIf(lacks("records in a real JetStream", PROGRAMS.nats))("records in JetStream", () => {
  test("are found in a NATS server that has JetStream although another one answered before that there is none", async () => {
    const without = await startNats({ config: "max_payload: 1MB\n" });
    const { bus, keeper, table, lines } = start(`nats://127.0.0.1:${without.port}`);
    await eventually(() => lines.some((line) => line.includes("NATS has no JetStream")), "it has answered");
    expect(keeper.hasRecords).toBeUndefined();
    await without.kill();
    await eventually(() => bus.state.kind === "down");
    const directory = temporaryDirectory();
    ends.push(() => directory.remove());
    await startNats({ port: without.port, config: `jetstream { store_dir: ${JSON.stringify(directory.path)} }\n` });
    await eventually(() => table.hasLoaded || keeper.hasRecords === false, "it is known", PATIENCE_MS);
    expect(table.hasLoaded).toBe(true);
  });

  test("are the same on all servers, and survive the restart of NATS and of all servers", async () => {
    const nats = await startNats();
    const [a, b] = [start(nats.url), start(nats.url)];
    await haveLoaded(a, b);
    a.table.set("x", "1");
    b.table.set("y", "1");
    await agree([a, b], { x: "1", y: "1" });
    a.table.set("x", undefined);
    await agree([a, b], { y: "1" });
    expect(a.told).toEqual(["y=1"]);
    expect(b.told).toEqual(["x=1", "x=-"]);
    await nats.kill();
    await eventually(() => a.bus.state.kind === "down");
    a.table.set("y", "2");
    a.table.set("z", "1");
    await nats.restart();
    await agree([a, b], { y: "2", z: "1" });
    await a.keeper.close();
    await b.keeper.close();
    const late = start(nats.url);
    await haveLoaded(late);
    await agree([late], { y: "2", z: "1" });
  });

  test("are brought back to a bucket whose data were restored from a backup", async () => {
    const nats = await startNats();
    const [a, b] = [start(nats.url), start(nats.url)];
    await haveLoaded(a, b);
    for (const key of ["changed", "removed", "kept"]) a.table.set(key, "1");
    await agree([a, b], { changed: "1", removed: "1", kept: "1" });
    const backup = temporaryDirectory();
    ends.push(() => backup.remove());
    await nats.kill();
    nats.backUp(backup.path);
    await nats.restart();
    a.table.set("changed", "2");
    a.table.set("removed", undefined);
    b.table.set("new", "1");
    await agree([a, b], { changed: "2", kept: "1", new: "1" });
    await nats.kill();
    nats.restore(backup.path);
    await nats.restart();
    await eventually(() => [a, b].every(({ bus }) => bus.state.kind === "up"), "both are connected again", PATIENCE_MS);
    const late = start(nats.url);
    await haveLoaded(late);
    await agree([a, b, late], { changed: "2", kept: "1", new: "1" });
    expect(b.told).toEqual(["changed=1", "removed=1", "kept=1", "changed=2", "removed=-"]);
  });

  test("of two changes to one record the first counts, and what was removed does not come back", async () => {
    const nats = await startNats();
    const [a, b] = [start(nats.url), start(nats.url)];
    await haveLoaded(a, b);
    a.table.set("x", "of a");
    b.table.set("x", "of b");
    await eventually(() => a.table.pending + b.table.pending === 0);
    expect(a.table.get("x")).toBe(b.table.get("x"));
    // To b, NATS falls silent; it goes on changing the record as it was.
    b.table.detach();
    a.table.set("x", undefined);
    await agree([a], {});
    b.table.set("x", "back again");
    await nats.kill();
    await nats.restart();
    await agree([a, b], {});
  });

  test("are brought to a new bucket by the servers that knew them, when the bucket is lost while they run", async () => {
    const nats = await startNats();
    const [a, b] = [start(nats.url), start(nats.url)];
    await haveLoaded(a, b);
    for (const value of ["1", "2", "3"]) {
      a.table.set("x", value);
      await agree([a, b], { x: value });
    }
    const remove = async (): Promise<void> => {
      const { connection } = a.bus;
      if (!connection) throw new Error("the bus is down");
      await (await new Kvm(connection).open("moorage_test")).destroy();
    };
    await remove();
    b.table.set("y", "1");
    await agree([a, b], { x: "3", y: "1" });
    a.table.set("y", "2");
    await agree([a, b], { x: "3", y: "2" });
    // NATS loses its data with a restart.
    await remove();
    await nats.kill();
    await nats.restart();
    await eventually(() => a.table.pending + b.table.pending === 0, "both have read the third bucket", PATIENCE_MS);
    const late = start(nats.url);
    await haveLoaded(late);
    await agree([a, b, late], { x: "3", y: "2" });
  }, 60_000);

  test("are no longer watched through a bucket that was closed because its watch stood still", async () => {
    const nats = await startNats();
    const { bus, table } = start(nats.url);
    await haveLoaded({ table });
    const { connection } = bus;
    if (!connection) throw new Error("the bus is down");
    const opened = await createBucketOpener({
      connection: () => connection,
      name: "moorage_test",
      clock: systemClock,
    })();
    if (!opened.ok) throw new Error(opened.reason);
    const kvm = new Kvm(connection);
    const { consumers } = await kvm.js.jetstreamManager();
    const { name: stream } = (await (await kvm.open("moorage_test")).status()).streamInfo.config;
    const watches = async (): Promise<number> =>
      (await consumers.list(stream).next()).filter((consumer) => consumer.push_bound).length;
    const ready = Promise.withResolvers<void>();
    opened.bucket.watch({ onEntry: () => {}, onReady: ready.resolve });
    await ready.promise;
    expect(await watches()).toBe(2);
    opened.bucket.doubt();
    await eventually(async () => (await watches()) === 1, "one watch is left");
  });

  test("need no permissions but those for the interface of JetStream and the bucket", async () => {
    const directory = temporaryDirectory();
    ends.push(() => directory.remove());
    const nats = await startNats({
      config: `authorization { users: [ { user: moorage, password: pw, permissions: {
        publish: ["moorage.test.>", "_INBOX_moorage.>", "$JS.API.>", "$JS.FC.>", "$KV.moorage_test.>"],
        subscribe: ["moorage.test.>", "_INBOX_moorage.>"] } } ] }
jetstream { store_dir: ${JSON.stringify(directory.path)} }
`,
    });
    const [a, b] = [1, 2].map(() => start(`nats://moorage:pw@127.0.0.1:${nats.port}`));
    if (!a || !b) throw new Error("there are two");
    await haveLoaded(a, b);
    // So much that JetStream asks for a pause.
    const numbers = Array.from({ length: 3000 }, (_, n) => `k.${n}`);
    const records = Object.fromEntries(numbers.toSorted().map((key): [string, string] => [key, "v".repeat(2000)]));
    for (const [key, value] of Object.entries(records)) a.table.set(key, value);
    await agree([a, b], records);
    const late = start(`nats://moorage:pw@127.0.0.1:${nats.port}`);
    await haveLoaded(late);
    await agree([late], records);
    a.table.set("k.0", undefined);
    await eventually(() => late.table.get("k.0") === undefined);
    expect([a, b, late].flatMap(({ bus }) => bus.forbidden)).toEqual([]);
  });

  test("are not kept by a NATS server without JetStream, which the log says", async () => {
    const nats = await startNats({ config: "max_payload: 1MB\n" });
    const { keeper, table, lines } = start(`nats://127.0.0.1:${nats.port}`);
    await eventually(() => keeper.hasRecords === false, "it is known", PATIENCE_MS);
    table.set("x", "1");
    expect(table.get("x")).toBe("1");
    const line = lines.find((each) => each.includes("cluster.records_not_kept"));
    expect(line).toContain("NATS has no JetStream");
  });

  test("are not kept for a user who may not use JetStream, which the log says at once", async () => {
    const directory = temporaryDirectory();
    ends.push(() => directory.remove());
    const nats = await startNats({
      config: `authorization { users: [ { user: moorage, password: pw, permissions: {
        publish: ["moorage.test.>", "_INBOX_moorage.>"], subscribe: ["moorage.test.>", "_INBOX_moorage.>"] } } ] }
jetstream { store_dir: ${JSON.stringify(directory.path)} }
`,
    });
    const { keeper, bus, lines } = start(`nats://moorage:pw@127.0.0.1:${nats.port}`);
    await eventually(() => keeper.hasRecords === false, "it is known", PATIENCE_MS);
    expect(lines.find((each) => each.includes("cluster.records_not_kept"))).toContain("may not use JetStream");
    expect(bus.forbidden[0]).toStartWith("publish $JS.API.");
  });

  test("of a cluster of three NATS servers survive the loss of one of them", async () => {
    const directory = temporaryDirectory();
    ends.push(() => directory.remove());
    const options = await threeNodes((at) => `jetstream { store_dir: "${directory.path}/n${at}" }`);
    const nodes = await Promise.all(options.map((node) => startNats(node)));
    const url = nodes.map(({ port }) => `nats://127.0.0.1:${port}`).join(",");
    const [a, b] = [start(url), start(url)];
    await haveLoaded(a, b);
    a.table.set("x", "1");
    await agree([a, b], { x: "1" });
    await nodes[0]?.kill();
    a.table.set("x", "2");
    await agree([a, b], { x: "2" });
  }, 150_000);
});
