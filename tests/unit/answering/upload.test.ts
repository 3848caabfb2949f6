import { expect, test } from "bun:test";
import { Upload } from "../../../src/answering/upload.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(1);

function createUpload(window: number): { upload: Upload; grants: number[] } {
  const grants: number[] = [];
  return { upload: new Upload({ window, grant: (count) => grants.push(count), onTaken: () => {} }), grants };
}

test("credit is granted for what the backend has read, in steps of a quarter window", async () => {
  const { upload, grants } = createUpload(100);
  for (let index = 0; index < 4; index += 1) expect(upload.push(bytes(10), false)).toBe(true);
  const reader = upload.stream.getReader();
  await reader.read();
  await reader.read();
  expect(grants).toEqual([]);
  await reader.read();
  expect(grants).toEqual([30]);
});

test("nothing is granted while the backend reads nothing", async () => {
  const { upload, grants } = createUpload(100);
  upload.push(bytes(100), false);
  await Promise.resolve();
  expect(grants).toEqual([]);
});

test("more data than was granted is refused, and so is data after the end", () => {
  const first = createUpload(100).upload;
  expect(first.push(bytes(101), false)).toBe(false);
  const second = createUpload(100).upload;
  expect(second.push(bytes(1), true)).toBe(true);
  expect(second.push(bytes(1), false)).toBe(false);
});

test("a read without data continues when bytes arrive, and ends with the upload", async () => {
  const { upload } = createUpload(100);
  const reader = upload.stream.getReader();
  const read = reader.read();
  await Promise.resolve();
  expect(upload.isStarved).toBe(true);
  upload.push(bytes(5), false);
  expect((await read).value?.length).toBe(5);
  upload.push(bytes(0), true);
  expect((await reader.read()).done).toBe(true);
});

test("a request body that broke off never looks complete", async () => {
  const { upload } = createUpload(100);
  const reader = upload.stream.getReader();
  upload.push(bytes(5), false);
  await reader.read();
  const read = reader.read();
  upload.fail("canceled by the server");
  await expect(read).rejects.toThrow("canceled by the server");
});

test("data that nobody reads any more is dropped and grants no credit", async () => {
  const { upload, grants } = createUpload(100);
  await upload.stream.cancel();
  expect(upload.push(bytes(100), false)).toBe(true);
  expect(upload.isStarved).toBe(false);
  expect(grants).toEqual([]);
});
