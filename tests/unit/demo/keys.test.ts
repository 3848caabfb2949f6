import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DemoKeysFault, demoKeysAt, newDemoKeys } from "../../../src/demo/keys.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => {
  directory.remove();
});

describe("the demo's keys in a file", () => {
  test("are made once, for its owner only, and are the same the next time", () => {
    const path = join(directory.path, "demo.env");
    const keys = demoKeysAt(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(demoKeysAt(path)).toEqual(keys);
    expect(newDemoKeys()).not.toEqual(keys);
  });

  test("may be somebody's own", async () => {
    const path = join(directory.path, "own.env");
    await Bun.write(path, "# mine\nOTHER=x\nAPI_KEY='mine-1'\r\nCLIENT_KEY=mine-2\n");
    expect(demoKeysAt(path)).toEqual({ apiKey: "mine-1", clientKey: "mine-2" });
  });

  test.each(["", "API_KEY=a\n", "API_KEY=\nCLIENT_KEY=b\n", "API_KEY=a,b\nCLIENT_KEY=c\n"])(
    "are refused if the file has %j, which is left as it is",
    async (text) => {
      const path = join(directory.path, "other.txt");
      await Bun.write(path, text);
      expect(() => demoKeysAt(path)).toThrow(DemoKeysFault);
      expect(await Bun.file(path).text()).toBe(text);
    },
  );

  test("are refused where no file can be", () => {
    expect(() => demoKeysAt(join(directory.path, "none", "demo.env"))).toThrow(DemoKeysFault);
  });
});
