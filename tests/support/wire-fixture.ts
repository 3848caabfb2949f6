import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeFrame, type Frame } from "../../src/wire/frame.ts";
import type { RecordedMessage } from "./link-recorder.ts";

export const WIRE_FIXTURES = join(import.meta.dir, "../fixtures/wire");

/** A link between a worker and a server of one version, as it was recorded. */
export interface WireFixture {
  /** The program at the worker's end. */
  readonly kind: "worker" | "relay";
  /** The version of both programs, which is also the beginning of the file's name. */
  readonly version: string;
  /** The messages in their order, each with what the version that recorded it read in it. */
  readonly messages: readonly (RecordedMessage & { readonly read: unknown })[];
}

export function readFixtures(): readonly (readonly [name: string, fixture: WireFixture])[] {
  return readdirSync(WIRE_FIXTURES)
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(join(WIRE_FIXTURES, name), "utf8"))]);
}

/** Decodes a recorded frame. A decoder that refuses it fails the test. */
export function frameOf({ frame = "" }: RecordedMessage): Frame {
  const decoded = decodeFrame(Buffer.from(frame, "base64"));
  if (decoded.type === "bad") throw new Error(`a recorded frame is bad now: ${decoded.reason}`);
  return decoded;
}

/** Returns what is read in a frame as JSON, with the length of its body. */
export function readable(frame: Frame): unknown {
  return "body" in frame ? { ...frame, body: frame.body.length } : frame;
}
