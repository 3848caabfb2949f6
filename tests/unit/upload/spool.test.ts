import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { MEMORY_BYTES, READ_BYTES, Spool } from "../../../src/upload/spool.ts";
import { SpoolSpace } from "../../../src/upload/spool-space.ts";
import { sound } from "../../support/audio-form.ts";
import { times } from "../../support/times.ts";

const SOUND = sound(4 * 1024 * 1024).value as Uint8Array; // sound() makes bytes

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moorage-spool-test-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function fill(spool: Spool, bytes: Uint8Array, piece: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) await spool.append(bytes.subarray(at, at + piece));
}

async function read(spool: Spool, from: number, until: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let at = from; at < until; ) {
    const piece = await spool.read(at, new Uint8Array(READ_BYTES));
    expect(piece.length).toBeGreaterThan(0);
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
}

test("a small body stays in memory", async () => {
  const space = new SpoolSpace(directory, 1e9);
  const spool = new Spool(space);
  await fill(spool, SOUND.subarray(0, MEMORY_BYTES), 65_536);
  expect(space.used).toBe(0);
  expect((await read(spool, 0, MEMORY_BYTES)).equals(SOUND.subarray(0, MEMORY_BYTES))).toBe(true);
  spool.close();
});

test("a large body reads as it was written, from any byte on, and while more is appended", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: MEMORY_BYTES - 5, max: SOUND.length }),
      fc.integer({ min: 30_000, max: 900_000 }),
      fc.nat(),
      async (length, piece, place) => {
        const space = new SpoolSpace(directory, 1e9);
        const spool = new Spool(space);
        const half = Math.floor(length / 2);
        await fill(spool, SOUND.subarray(0, half), piece);
        expect((await read(spool, 0, half)).equals(SOUND.subarray(0, half))).toBe(true);
        await fill(spool, SOUND.subarray(half, length), piece);
        const from = place % length;
        expect((await read(spool, from, length)).equals(SOUND.subarray(from, length))).toBe(true);
        spool.close();
        expect(space.used).toBe(0);
      },
    ),
    { numRuns: times(20) },
  );
});

test("bytes that were read do not change while more are appended", async () => {
  const spool = new Spool(new SpoolSpace(directory, 1e9));
  const half = MEMORY_BYTES + 300_000;
  await fill(spool, SOUND.subarray(0, half), 50_000);
  const at = half - 200_000;
  const piece = await spool.read(at, new Uint8Array(READ_BYTES));
  const before = piece.slice();
  // More than a block is appended, so the block was written to disk and holds other bytes now.
  await fill(spool, SOUND.subarray(half), 50_000);
  expect(Buffer.from(piece).equals(before)).toBe(true);
  expect(Buffer.from(piece).equals(SOUND.subarray(at, at + piece.length))).toBe(true);
  spool.close();
});

test("a spool's file has no name, so that nothing is left however the process ends", async () => {
  const spool = new Spool(new SpoolSpace(directory, 1e9));
  await fill(spool, SOUND, 300_000);
  expect(readdirSync(directory)).toEqual([]);
  expect((await read(spool, 0, SOUND.length)).equals(SOUND)).toBe(true);
  spool.close();
});

test("spools share their space and release it", async () => {
  const space = new SpoolSpace(directory, 1_000_000);
  const [first, second] = [new Spool(space), new Spool(space)];
  await fill(first, SOUND.subarray(0, MEMORY_BYTES + 800_000), 100_000);
  await expect(fill(second, SOUND.subarray(0, MEMORY_BYTES + 800_000), 100_000)).rejects.toThrow("no room");
  first.close();
  second.close();
  expect(space.used).toBe(0);
});

test("a directory that cannot be written is reported", async () => {
  const spool = new Spool(new SpoolSpace(join(directory, "missing"), 1e9));
  await expect(fill(spool, SOUND, 600_000)).rejects.toThrow("ENOENT");
});

test("the first file removes those of dead processes, and keeps those of living ones", async () => {
  // Process ids end far below this on Linux, macOS and Windows.
  const dead = "moorage-spool-999999999-1";
  const alive = `moorage-spool-${process.ppid}-1`;
  const other = "moorage-spool-notes.txt";
  for (const name of [dead, alive, other]) writeFileSync(join(directory, name), "x");
  const spool = new Spool(new SpoolSpace(directory, 1e9));
  await fill(spool, SOUND, 600_000);
  expect(readdirSync(directory).sort()).toEqual([alive, other].sort());
  spool.close();
});
