import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LENGTH_BYTES } from "../../src/cluster/links/batch.ts";
import { decodeLinkFrame, type LinkFrame } from "../../src/wire/link-frame.ts";
import type { RecordedMessage } from "./link-recorder.ts";

export const CLUSTER_FIXTURES = join(import.meta.dir, "../fixtures/cluster");

/** What two servers of one version said to each other, as it was recorded. */
export interface ClusterFixture {
  /** The version of both servers, which is also the beginning of the file's name. */
  readonly version: string;
  /** What all servers hear through NATS, each message as it was and as the version that recorded it read it. */
  readonly gossip: readonly { readonly text: string; readonly read: unknown }[];
  /** The frames on their link, from the server that has dialled and from the other one. */
  readonly frames: readonly {
    readonly from: "dialler" | "acceptor";
    /** In base64. */
    readonly frame: string;
    readonly read: unknown;
  }[];
}

export function readClusterFixtures(): readonly (readonly [name: string, fixture: ClusterFixture])[] {
  return readdirSync(CLUSTER_FIXTURES).map((name) => [
    name,
    JSON.parse(readFileSync(join(CLUSTER_FIXTURES, name), "utf8")),
  ]);
}

/** Splits a recorded message of a link into its frames. */
export function framesIn({ frame = "" }: RecordedMessage): readonly Buffer[] {
  const message = Buffer.from(frame, "base64");
  const frames: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const end = at + LENGTH_BYTES + message.readUInt32BE(at);
    frames.push(message.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return frames;
}

/** Decodes a frame. A decoder that refuses it fails the test. */
export function linkFrameOf(bytes: Uint8Array): LinkFrame {
  const decoded = decodeLinkFrame(bytes);
  if (decoded.type === "bad") throw new Error(`a recorded frame is bad now: ${decoded.reason}`);
  return decoded;
}

/** Returns what is read in a frame as JSON, with the length of its body. */
export function readableLinkFrame(frame: LinkFrame): unknown {
  return "body" in frame ? { ...frame, body: frame.body.length } : frame;
}
