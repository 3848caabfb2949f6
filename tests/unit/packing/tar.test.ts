import { describe, expect, test } from "bun:test";
import { type PackedFile, toTar, toTarball } from "../../../src/packing/tar.ts";

const file = (path: string, text: string): PackedFile => ({ path, bytes: new TextEncoder().encode(text) });
const FILES = [file("lib/b.js", "b".repeat(1000)), file("bin/a.js", "a"), file("empty.txt", "")];

describe("the archive of a package", () => {
  test("is read by Bun with every file below package/", async () => {
    const read = await new Bun.Archive(await toTarball(FILES)).files();
    expect([...read.keys()].toSorted()).toEqual(FILES.map(({ path }) => `package/${path}`).toSorted());
    expect(await read.get("package/lib/b.js")?.text()).toBe("b".repeat(1000));
    expect(await read.get("package/empty.txt")?.text()).toBe("");
  });

  test("is the same whatever the order of the files and the time", async () => {
    const once = await toTarball(FILES);
    expect(await toTarball(FILES.toReversed())).toEqual(once);
    // The bytes 4 to 7 of gzip are a time, and byte 9 is a system.
    expect([...once.slice(4, 8), once[9]]).toEqual([0, 0, 0, 0, 255]);
  });

  test("marks only what is in bin/ as a program", () => {
    const tar = Buffer.from(toTar([file("bin/a.js", ""), file("lib/b.js", "")]));
    expect(tar.toString("latin1", 100, 107)).toBe("0000755");
    expect(tar.toString("latin1", 512 + 100, 512 + 107)).toBe("0000644");
  });

  test("ends with two empty blocks and consists of whole blocks", () => {
    const tar = toTar(FILES);
    expect(tar.length % 512).toBe(0);
    expect(tar.slice(-1024).every((byte) => byte === 0)).toBe(true);
  });

  test("refuses a path that the format cannot hold", () => {
    expect(() => toTar([file("x".repeat(100), "")])).toThrow("cannot name");
    expect(() => toTar([file("lib/é.js", "")])).toThrow("cannot name");
  });
});
