import { expect, test } from "bun:test";
import fc from "fast-check";
import { sha256 } from "../../../../src/auth/keys.ts";
import { ClusterKeys } from "../../../../src/cluster/records/cluster-keys.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { Fault } from "../../../../src/errors.ts";
import { KeyBook } from "../../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../../src/keys/key-entry.ts";
import { createMemoryRecords, type KeyRecords } from "../../../../src/keys/key-records.ts";
import { KeyWriter } from "../../../../src/keys/key-writer.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket, type View } from "../../../support/memory-bucket.ts";
import "../../../support/seed.ts";
import { times } from "../../../support/times.ts";

const SERVERS = 3;
const HOUR = 3_600_000;
const BY = { by: "admin" };

/** One run of a server's process. What it begins to keep after its end is lost. */
class Run {
  readonly table = new RecordTable();
  readonly book: KeyBook;
  readonly writer: KeyWriter;
  readonly #keys: ClusterKeys;
  #view: View | undefined;
  #isAlive = true;

  constructor(local: KeyRecords, clock: FakeClock) {
    const own: KeyRecords = {
      load: () => local.load(),
      put: (entry) => this.#isAlive && local.put(entry),
      remove: (id) => this.#isAlive && local.remove(id),
      used: () => {},
    };
    const { table } = this;
    const reach = {
      hasRecords: true,
      get isReached() {
        return table.isReady;
      },
      confirmedAt: undefined,
    };
    const keys = new ClusterKeys({ table, local: own, staleMs: HOUR, reach, clock, log: silentLog });
    this.#keys = keys;
    this.book = new KeyBook({ records: keys.records, clock, maxRequests: 9, standing: () => keys.standing() });
    keys.watch({
      saved: (entry) => this.book.accept(entry),
      unreadable: () => {},
      removed: (id) => this.book.drop(id),
      used: () => {},
    });
    this.writer = new KeyWriter({ book: this.book, shared: keys, clock: { after: soon } });
  }

  get isConnected(): boolean {
    return this.#view !== undefined;
  }

  connect(bucket: MemoryBucket): void {
    this.disconnect(false);
    this.#view = bucket.open();
    this.table.attach(this.#view);
  }

  disconnect(areWritten: boolean): void {
    this.table.detach();
    this.#view?.break(areWritten);
    this.#view = undefined;
  }

  end(): void {
    this.#isAlive = false;
    this.disconnect(false);
    this.#keys.close();
  }
}

function soon(_ms: number, callback: () => void): () => void {
  setImmediate(callback);
  return () => {};
}

interface Step {
  readonly kind:
    | "create"
    | "update"
    | "revoke"
    | "rotate"
    | "use"
    | "connect"
    | "disconnect"
    | "restart"
    | "lose"
    | "work";
  readonly server: number;
  readonly key: number;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<Step["kind"][]>(
      ...(["create", "update", "update", "revoke", "rotate", "use", "connect", "connect"] as const),
      ...(["disconnect", "restart", "lose", ...Array(10).fill("work" as const)] as const),
    ),
    server: fc.nat(SERVERS - 1),
    key: fc.nat(4),
  }),
  { minLength: 20, maxLength: 120 },
);

const isIgnored = (error: unknown): undefined => {
  if (error instanceof Fault) return undefined;
  throw error;
};

/** What one server's disk has been told to have ended: a text that it MUST never accept again. */
type Ended = Set<string>;

test("after any changes, partitions, restarts and losses of the bucket, all servers agree, and no ended key comes back", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (script, stream) => {
        const random = (): number => stream.next().value;
        const clock = new FakeClock();
        const locals = Array.from({ length: SERVERS }, () => createMemoryRecords());
        const runs = locals.map((local) => new Run(local, clock));
        const ended: readonly Ended[] = locals.map(() => new Set());
        const texts = new Map<string, string[]>();
        const known: string[] = [];
        const changes: Promise<unknown>[] = [];
        let losses = 0;
        let bucket = new MemoryBucket("0");
        for (const run of runs) run.connect(bucket);

        const accepts = (run: Run, text: string) => run.book.sources.api.find(sha256(text)) !== undefined;
        const check = (): void => {
          for (const [at, run] of runs.entries())
            for (const text of ended[at] ?? [])
              if (accepts(run, text)) throw new Error(`server ${at} accepts it again`);
        };
        /** Notes which texts a server must not accept any more, by what its disk has. */
        const note = (): void => {
          for (const [at, local] of locals.entries())
            for (const entry of local.load()) {
              const hashes = new Set([entry.secret.hash]);
              for (const text of texts.get(entry.id) ?? []) {
                const isKnown = hashes.has(sha256(text)) || entry.former.some(({ hash }) => hash === sha256(text));
                if (isKnown && (entry.revokedAt !== undefined || !hashes.has(sha256(text)))) ended[at]?.add(text);
              }
            }
        };
        for (const { kind, server, key } of script) {
          const run = runs[server];
          const local = locals[server];
          if (!run || !local) throw new Error("no such server");
          const id = known[key % Math.max(1, known.length)] ?? "none";
          const keep = (made: { readonly entry: KeyEntry; readonly text: string } | undefined): void => {
            if (!made) return;
            if (!known.includes(made.entry.id)) known.push(made.entry.id);
            texts.set(made.entry.id, [...(texts.get(made.entry.id) ?? []), made.text]);
          };
          const spec = { kind: "client", terms: { name: `k${key}`, limits: {} } } as const;
          if (kind === "create") changes.push(run.writer.create(spec, BY).then(keep, isIgnored));
          if (kind === "update")
            changes.push(run.writer.update(id, { terms: { weight: 1 + random() }, limits: {} }).catch(isIgnored));
          if (kind === "revoke") changes.push(run.writer.revoke(id, BY).catch(isIgnored));
          if (kind === "rotate") changes.push(run.writer.rotate(id, 0, BY).then(keep, isIgnored));
          if (kind === "use")
            changes.push(run.writer.amend(id, ({ uses = 0 }) => ({ uses: uses + 1 })).catch(isIgnored));
          if (kind === "connect" && !run.isConnected) run.connect(bucket);
          if (kind === "disconnect") run.disconnect(random() < 0.5);
          if (kind === "restart") {
            run.end();
            runs[server] = new Run(local, clock);
          }
          if (kind === "lose") {
            losses += 1;
            for (const each of runs) each.disconnect(random() < 0.5);
            bucket = new MemoryBucket(String(losses));
          }
          if (kind === "work") for (let count = 0; count < 3; count += 1) bucket.step(random);
          await new Promise((resolve) => setImmediate(resolve));
          note();
          check();
        }
        for (const run of runs) run.connect(bucket);
        for (let count = 0; count < 5; count += 1) {
          await bucket.settle(random);
          await Promise.race([Promise.all(changes), new Promise((resolve) => setTimeout(resolve, 1))]);
        }
        await bucket.settle(random);
        note();
        check();
        const books = runs.map(({ book }) => Object.fromEntries(book.list().map((entry) => [entry.id, entry])));
        for (const [at, book] of books.entries()) {
          expect(book).toEqual(books[0] ?? {});
          expect(Object.fromEntries((locals[at]?.load() ?? []).map((entry) => [entry.id, entry]))).toEqual(book);
        }
        for (const [id, entry] of Object.entries(books[0] ?? {}))
          expect(JSON.parse(bucket.records()[`key.${id}`] ?? "null")).toEqual(entry);
        for (const texted of ended)
          for (const text of texted) for (const run of runs) expect(accepts(run, text)).toBe(false);
        for (const run of runs) run.end();
      },
    ),
    { numRuns: times(150) },
  );
}, 60_000);
