import { describe, expect, test } from "bun:test";
import { parseGossip } from "../../../src/cluster/gossip/gossip.ts";
import { VERSION } from "../../../src/system/version.ts";
import { HEADER_BYTES } from "../../../src/wire/frame.ts";
import { linkFrameOf, readableLinkFrame, readClusterFixtures } from "../../support/cluster-fixture.ts";

// `tests/fixtures/cluster` has what two servers of this version and of earlier ones said to each other. Today's server must go
// on reading all of it. `record.ts` records the file of this version again.

type Json = Readonly<Record<string, unknown>>;

const FIXTURES = readClusterFixtures();
const LATER = { later: { of: ["any", "form"] } };

/** Returns a frame with a member in its head that no version knows yet; undefined for a frame without a head. */
function withLaterField(bytes: Buffer): Uint8Array | undefined {
  const { type } = linkFrameOf(bytes);
  if (type !== "request" && type !== "response") return undefined;
  const headEnd = HEADER_BYTES + 4 + bytes.readUInt32BE(HEADER_BYTES);
  const head = JSON.parse(bytes.subarray(HEADER_BYTES + 4, headEnd).toString());
  const peer = head.peer && { peer: { ...head.peer, ...LATER } };
  const text = Buffer.from(JSON.stringify({ ...LATER, ...head, ...peer }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([bytes.subarray(0, HEADER_BYTES), length, text, bytes.subarray(headEnd)]);
}

test("what servers of this version say to each other is recorded", () => {
  expect(FIXTURES.map(([, { version }]) => version)).toContain(VERSION);
});

describe.each(FIXTURES)("what the servers of %s said to each other", (_name, { gossip, frames }) => {
  test("is read as it was when it was recorded", () => {
    // A later version may read more than the recording version did, and never less.
    for (const { text, read } of gossip) expect(parseGossip(text)).toMatchObject(read as Json);
    for (const { frame, read } of frames)
      expect(readableLinkFrame(linkFrameOf(Buffer.from(frame, "base64")))).toMatchObject(read as Json);
  });

  test("has every kind of message and frame", () => {
    const kinds = new Set(gossip.map(({ text }) => parseGossip(text).t));
    for (const kind of ["hello", "beat", "delta", "bye"] as const) expect(kinds).toContain(kind);
    const types = new Set(frames.map(({ frame }) => linkFrameOf(Buffer.from(frame, "base64")).type));
    for (const type of [
      "request",
      "request_data",
      "response",
      "response_data",
      "credit",
      "reset",
      "tell",
      "ping",
      "pong",
    ] as const)
      expect(types).toContain(type);
  });

  test("is read the same with fields that are not known yet", () => {
    for (const { text } of gossip)
      expect(parseGossip(JSON.stringify({ ...JSON.parse(text), ...LATER }))).toEqual(parseGossip(text));
    for (const { frame } of frames) {
      const bytes = Buffer.from(frame, "base64");
      const changed = withLaterField(bytes);
      if (changed) expect(linkFrameOf(changed)).toEqual(linkFrameOf(bytes));
    }
  });
});
