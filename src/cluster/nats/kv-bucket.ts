import { randomUUID } from "node:crypto";
import { type KV, Bucket as KvBucket, type KvEntry, Kvm } from "@nats-io/kv";
import { errors, type NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "../../system/deps.ts";
import type { Bucket, BucketEntry, BucketWatcher, BucketWrite, OpenedBucket } from "../records/bucket.ts";
import { reasonOf } from "./dial.ts";

/** The largest record: a key with a hundred models of the longest names. A drained worker's has a few hundred bytes. */
const MAX_VALUE_BYTES = 128 * 1024;
/** Copies in a NATS cluster, so that the loss of one node loses nothing and stops no writes. */
const REPLICAS = 3;
/** How long NATS may have no place for three copies before the bucket is created with one. */
const PLACE_MS = 10_000;
/**
 * How often a watch is compared with the bucket. The consumer behind a watch may be lost with its node of a NATS cluster, and
 * the client's own way to notice that does not always end in a new one.
 */
const COMPARE_MS = 2000;
/** Codes of JetStream: the expected revision is not the present one, NATS is no cluster, and too few nodes have room. */
const WRONG_LAST_SEQUENCE = 10071;
const NO_CLUSTER = 10074;
const NO_PLACE = 10005;
/** The code of JetStream for a stream, and so a bucket, that does not exist. */
const NO_STREAM = 10059;
/** The key of the record that tells a bucket from the one before it. The servers have no record of this name. */
const ID_KEY = "bucket";
/** Removed records are remembered for 90 days, longer than any server runs without NATS. */
const REMEMBER_REMOVED_MS = 90 * 24 * 60 * 60_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface BucketOpenerOptions {
  /** Returns the connection; undefined while there is none. */
  readonly connection: () => NatsConnection | undefined;
  readonly name: string;
  readonly clock: Pick<Clock, "elapsed" | "every">;
}

/**
 * Returns a function that opens the bucket of a cluster, and creates it if it does not exist. NATS keeps three copies of it
 * if it can.
 */
export function createBucketOpener({ connection, name, clock }: BucketOpenerOptions): () => Promise<OpenedBucket> {
  let hasFailedSince: number | undefined;
  return async () => {
    const current = connection();
    if (!current) return { ok: false, reason: "not connected", isAbsent: false };
    try {
      const opened = await open(current, name, REPLICAS, clock);
      hasFailedSince = undefined;
      return { ok: true, bucket: opened };
    } catch (error) {
      if (isForbidden(error)) return { ok: false, reason: "the NATS user may not use JetStream", isAbsent: true };
      if (isAbsent(error)) return { ok: false, reason: "NATS has no JetStream", isAbsent: true };
      const now = clock.elapsed();
      hasFailedSince ??= now;
      const code = codeOf(error);
      // A NATS cluster that has just started has not found all its nodes, and could place only one copy.
      const isAlone = code === NO_CLUSTER || (code === NO_PLACE && now - hasFailedSince >= PLACE_MS);
      if (!isAlone) return { ok: false, reason: reasonOf(error), isAbsent: false };
    }
    try {
      return { ok: true, bucket: await open(current, name, 1, clock) };
    } catch (error) {
      return { ok: false, reason: reasonOf(error), isAbsent: false };
    }
  };
}

async function open(
  connection: NatsConnection,
  name: string,
  replicas: number,
  clock: Pick<Clock, "elapsed" | "every">,
): Promise<NatsBucket> {
  const kvm = new Kvm(connection);
  const kv = await kvm.create(name, {
    description: "What the servers of a Moorage cluster agree on",
    maxValueSize: MAX_VALUE_BYTES,
    history: 1,
    replicas,
    // Direct reads are answered by any copy, also by one that does not have the last changes yet.
    allow_direct: false,
  });
  const id = await idOf(kv);
  const { streamInfo } = await kv.status();
  const { name: stream, num_replicas: copies, max_msg_size: maxBytes } = streamInfo.config;
  // The bucket may have been created by an earlier version.
  if (maxBytes > 0 && maxBytes < MAX_VALUE_BYTES) await change(kvm, stream, { max_msg_size: MAX_VALUE_BYTES });
  // Or before NATS had three servers. It stays as it is if there is no place for more copies.
  if (copies < replicas) await change(kvm, stream, { num_replicas: replicas }).catch(() => {});
  return new NatsBucket(kv, connection, id, streamInfo, clock);
}

interface BucketId {
  readonly text: string;
  readonly revision: number;
}

/**
 * Reads the id of a bucket, or gives it one. The time at which its stream was created would not do: nats-server 2.9 states
 * another one after a restart.
 */
async function idOf(kv: KV): Promise<BucketId> {
  const found = toId(await kv.get(ID_KEY));
  if (found) return found;
  const text = randomUUID();
  try {
    return { text, revision: await kv.create(ID_KEY, encoder.encode(text)) };
  } catch (error) {
    // Another server was first.
    const theirs = toId(await kv.get(ID_KEY));
    if (theirs) return theirs;
    throw error;
  }
}

function toId(entry: KvEntry | null): BucketId | undefined {
  if (entry?.operation !== "PUT") return undefined;
  return { text: decoder.decode(entry.value), revision: entry.revision };
}

async function change(
  kvm: Kvm,
  stream: string,
  config: { num_replicas?: number; max_msg_size?: number },
): Promise<void> {
  const { streams } = await kvm.js.jetstreamManager();
  await streams.update(stream, config);
}

/** What JetStream says of the stream of a bucket. */
interface StreamFacts {
  /** RFC 3339, in nanoseconds. */
  readonly created: string;
  readonly state: { readonly last_seq: number };
}

/** A bucket of records in JetStream, on one connection. */
export class NatsBucket implements Bucket {
  readonly isNew: boolean;
  readonly ended: Promise<void>;
  readonly identity: string;
  readonly lastRevision: number;
  readonly #kv: KV;
  readonly #created: string;
  /** The last revision up to which the watch has told everything. */
  #told = 0;
  /** The same at the last comparison, and the last revision that the bucket had then. */
  #compared = { told: 0, last: 0 };
  readonly #clock: Pick<Clock, "elapsed">;
  #confirmedAt: number | undefined;
  #end: () => void = () => {};

  constructor(
    kv: KV,
    connection: NatsConnection,
    id: BucketId,
    { created, state }: StreamFacts,
    clock: Pick<Clock, "elapsed" | "every">,
  ) {
    this.#kv = kv;
    this.#clock = clock;
    this.identity = id.text;
    this.#created = created;
    // Nothing was written before the id, and nothing after it.
    this.isNew = id.revision === 1 && state.last_seq === 1;
    this.lastRevision = state.last_seq;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    void connection.closed().then(() => this.#end());
    const stop = clock.every(COMPARE_MS, () => void this.#compare());
    void this.ended.then(stop);
  }

  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  watch(watcher: BucketWatcher): void {
    this.#watch(watcher)
      .catch(() => {}) // The connection broke, or JetStream refused. `RecordKeeper` opens the bucket again.
      .finally(() => this.#end());
  }

  async read(key: string): Promise<BucketEntry | undefined | "failed"> {
    try {
      const entry = await this.#kv.get(key);
      return entry ? toEntry(entry) : undefined;
    } catch {
      return "failed"; // The connection broke, or JetStream did not answer.
    }
  }

  doubt(): void {
    this.#end();
  }

  async write(key: string, value: string | undefined, revision: number): Promise<BucketWrite> {
    try {
      if (value !== undefined) {
        const options = { previousSeq: revision };
        return { kind: "written", revision: await this.#kv.put(key, encoder.encode(value), options) };
      }
      // The client does not check for revision 0, and a record that never existed needs no removal.
      if (revision === 0) return { kind: "conflict" };
      await this.#kv.delete(key, { previousSeq: revision });
      // The client does not tell the revision of a removal.
      const entry = await this.#kv.get(key);
      if (!entry) return { kind: "failed" };
      return entry.operation === "PUT" ? { kind: "conflict" } : { kind: "written", revision: entry.revision };
    } catch (error) {
      return { kind: codeOf(error) === WRONG_LAST_SEQUENCE ? "conflict" : "failed" };
    }
  }

  /**
   * Ends the bucket if its watch stands still, although the bucket had more at the last comparison, or if the bucket was
   * removed, of which no watch tells.
   */
  async #compare(): Promise<void> {
    const { told, last } = this.#compared;
    if (this.#told === told && told < last) return this.#end();
    const askedAt = this.#clock.elapsed();
    try {
      const { streamInfo } = await this.#kv.status();
      if (streamInfo.created !== this.#created) return this.#end();
      this.#compared = { told: this.#told, last: streamInfo.state.last_seq };
      if (this.#confirmedAt !== undefined && this.#told >= streamInfo.state.last_seq) this.#confirmedAt = askedAt;
    } catch (error) {
      // Any other error means that JetStream does not answer now, which says nothing about the bucket.
      if (codeOf(error) === NO_STREAM) this.#end();
    }
  }

  async #watch(watcher: BucketWatcher): Promise<void> {
    let isReady = false;
    const entries = await this.#kv.watch();
    // The consumer behind the watch would otherwise send heartbeats until the connection ends.
    void this.ended.then(() => entries.stop());
    const ready = (): void => {
      isReady = true;
      // The last revisions may belong to records that the bucket has forgotten, which no watch reports.
      this.#told = Math.max(this.#told, this.lastRevision);
      this.#confirmedAt = this.#clock.elapsed();
      watcher.onReady();
    };
    let hasOld = false;
    for await (const entry of entries) {
      hasOld ||= entry.operation !== "PUT" && Date.now() - entry.created.getTime() > REMEMBER_REMOVED_MS;
      this.#told = Math.max(this.#told, entry.revision);
      if (entry.key !== ID_KEY) watcher.onEntry(toEntry(entry));
      if (isReady || entry.delta !== 0) continue;
      ready();
      // Old removals would take up space for ever. If this fails, another server purges them, or this one at its next start.
      if (hasOld && this.#kv instanceof KvBucket) this.#kv.purgeDeletes(REMEMBER_REMOVED_MS).catch(() => {});
    }
  }
}

function toEntry({ key, value, revision, operation }: KvEntry): BucketEntry {
  return { key, revision, value: operation === "PUT" ? decoder.decode(value) : undefined };
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}

function isForbidden(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof errors.PermissionViolationError) return true;
  return false;
}

function isAbsent(error: unknown): boolean {
  // A 503 without a JetStream code, or no responder, means that JetStream is off for the server or the account.
  return (
    error instanceof Error && /jetstream is not enabled|not enabled for account|no responders/i.test(reasonOf(error))
  );
}
