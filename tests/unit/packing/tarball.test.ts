import { expect, test } from "bun:test";
import { lazyTarball, type Tarball } from "../../../src/packing/tarball.ts";

const TARBALL: Tarball = { name: "moorage-1.2.3.tgz", bytes: new Uint8Array([1]) };

test("the package is made once, also for requests that come while it is made", async () => {
  let times = 0;
  const made = Promise.withResolvers<Tarball>();
  const tarball = lazyTarball(() => {
    times += 1;
    return made.promise;
  });
  const both = Promise.all([tarball(), tarball()]);
  made.resolve(TARBALL);
  expect(await both).toEqual([TARBALL, TARBALL]);
  expect(await tarball()).toBe(TARBALL);
  expect(times).toBe(1);
});

test("a failure to make the package is not kept", async () => {
  let times = 0;
  const tarball = lazyTarball(async () => {
    times += 1;
    if (times === 1) throw new Error("no room");
    return TARBALL;
  });
  await expect(tarball()).rejects.toThrow("no room");
  expect(await tarball()).toBe(TARBALL);
});
