import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import * as v from "valibot";
import { isRecord, parseJson } from "../../json/parse.ts";
import { setNewest } from "../../system/newest.ts";
import { SERVER_ID } from "../../system/server-id.ts";

// How the two ends of a link authenticate each other. Each server creates a link key when it starts and announces it in its
// beats, which only members of the cluster can read. A server that dials signs its request with the link key of the other
// server, which answers with a proof that it has that key. The dialled server reads nothing before it has checked the
// signature, and the dialling server sends nothing more before it has checked the proof.

/** One run of a server. */
export interface ServerRun {
  readonly id: string;
  /** Different for each start. */
  readonly epoch: string;
}

/** What a server announces about its links in its beats. */
export interface LinkContact extends ServerRun {
  /** Where it can be dialled, as `host:port`; undefined if it cannot. */
  readonly address: string | undefined;
  /** The key with which dials to it are signed. Secret: it is sent over the bus only, and appears in no log and no state. */
  readonly linkKey: string;
}

/** What a server that dials sends in its request, signed. */
export interface Dial {
  readonly from: ServerRun;
  /** The server that is dialled. Another one behind the same address refuses it. */
  readonly to: ServerRun;
  /** Usually milliseconds since 1970, by the clock of the server that dials. It grows with every dial of one run. */
  readonly time: number;
  readonly nonce: string;
}

/** Makes the key of a server's links: 256 bits. */
export function createLinkKey(): string {
  return randomBytes(32).toString("base64url");
}

export function createNonce(): string {
  return randomBytes(16).toString("base64url");
}

/** The scheme of the `Authorization` header. */
const SCHEME = "Moorage-Link ";

/** The longest header that is read. An honest one has about 300 characters. */
const MAX_HEADER_CHARS = 1024;

/** Returns the `Authorization` header of a dial; `linkKey` is the key of the server that is dialled. */
export function signDial(dial: Dial, linkKey: string): string {
  const text = JSON.stringify({ ...dial, mac: macOf(dial, linkKey) });
  return SCHEME + Buffer.from(text).toString("base64url");
}

const epoch = v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/));
const run = v.object({ id: v.pipe(v.string(), v.regex(SERVER_ID)), epoch });
const dialSchema = v.object({
  from: run,
  to: run,
  time: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  nonce: v.pipe(v.string(), v.regex(/^[\w-]{16,64}$/)),
  mac: v.pipe(v.string(), v.maxLength(64)),
});

/** The reason why a dial is refused, for the log. */
export type DialRefusal = "no credentials" | "for another server" | "wrong key" | "replayed";

/** Judges dials to one run of a server. */
export class DialGuard {
  readonly #self: ServerRun;
  readonly #linkKey: string;
  /** The time of the last dial of each run of each server. The run that has dialled last is the last one. */
  readonly #lastTimes = new Map<string, number>();

  constructor(self: ServerRun, linkKey: string) {
    this.#self = self;
    this.#linkKey = linkKey;
  }

  /** Returns the dial of an `Authorization` header, or why it is refused. A dial is accepted once. */
  accept(header: string | null): Dial | DialRefusal {
    const parsed = parseHeader(header);
    if (!parsed) return "no credentials";
    const { mac, ...dial } = parsed;
    const { from, to } = dial;
    if (to.id !== this.#self.id || to.epoch !== this.#self.epoch || from.id === this.#self.id)
      return "for another server";
    if (!isSame(mac, macOf(dial, this.#linkKey))) return "wrong key";
    return this.#isNew(dial) ? dial : "replayed";
  }

  /** Notes the time of a dial. Returns false unless it is later than every earlier one of the same run. */
  #isNew({ from, time }: Dial): boolean {
    const key = `${from.id} ${from.epoch}`;
    const last = this.#lastTimes.get(key);
    if (last !== undefined && time <= last) return false;
    setNewest(this.#lastTimes, key, time, MAX_RUNS);
    return true;
  }
}

/**
 * The most runs of servers whose last dials are remembered: more than a cluster starts between two restarts of this server.
 */
const MAX_RUNS = 10_000;

/** Returns the proof of the server that was dialled: only it and the members of its cluster know the key. */
export function proofOf(dial: Dial, linkKey: string): string {
  return hmac(linkKey, ["accepted", ...factsOf(dial)]);
}

/** Returns whether a proof is right. Takes the same time for each wrong one. */
export function isProof(proof: string | undefined, dial: Dial, linkKey: string): boolean {
  return proof !== undefined && isSame(proof, proofOf(dial, linkKey));
}

function parseHeader(header: string | null): (Dial & { readonly mac: string }) | undefined {
  if (header === null || !header.startsWith(SCHEME) || header.length > MAX_HEADER_CHARS) return undefined;
  const json = parseJson(Buffer.from(header.slice(SCHEME.length), "base64url").toString());
  const result = isRecord(json) ? v.safeParse(dialSchema, json) : undefined;
  return result?.success ? result.output : undefined;
}

function macOf(dial: Dial, linkKey: string): string {
  return hmac(linkKey, ["dial", ...factsOf(dial)]);
}

/** The facts that both signatures cover. None of them contains a line break. */
function factsOf({ from, to, time, nonce }: Dial): readonly string[] {
  return [from.id, from.epoch, to.id, to.epoch, String(time), nonce];
}

function hmac(linkKey: string, facts: readonly string[]): string {
  return createHmac("sha256", linkKey)
    .update(["moorage link 1", ...facts].join("\n"))
    .digest("base64url");
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
