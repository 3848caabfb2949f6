import { describe, expect, test } from "bun:test";
import { isVersion, packageUrl, updateFault, updateHint } from "../../../../src/worker/update/update-plan.ts";

const SERVER = "https://moorage.example.com";
const usual = { last: undefined, now: 1_000_000_000, isUnverified: false };

describe("a worker becomes the version of its server", () => {
  test("over https, and from its own machine", () => {
    for (const server of [
      SERVER,
      "wss://moorage.example.com",
      "http://127.0.0.1:8080",
      "ws://localhost:8080",
      "ws://[::1]:1",
    ])
      expect(updateFault("0.3.0", server, usual), server).toBeUndefined();
  });

  test("but not where somebody on the way could change the program", () => {
    for (const server of ["http://moorage.example.com", "ws://10.0.0.5:8080"])
      expect(updateFault("0.3.0", server, usual)).toContain("use an https URL");
    expect(updateFault("0.3.0", SERVER, { ...usual, isUnverified: true })).toContain("NODE_TLS_REJECT_UNAUTHORIZED");
  });

  test("but never twice the same, and not often", () => {
    const { now } = usual;
    expect(updateFault("0.3.0", SERVER, { ...usual, last: { version: "0.3.0", at: 0 } })).toContain("has tried");
    expect(updateFault("0.3.0", SERVER, { ...usual, last: { version: "0.2.0", at: now - 1000 } })).toContain(
      "ten minutes",
    );
    expect(updateFault("0.3.0", SERVER, { ...usual, last: { version: "0.2.0", at: now - 600_000 } })).toBeUndefined();
    expect(updateFault("0.3.0", SERVER, { ...usual, last: { version: "0.2.0", at: now + 1000 } })).toBeUndefined();
  });

  test("but not a version that is none", () => {
    for (const text of [
      "",
      "1",
      "1.2",
      "../../x",
      "1.2.3/..",
      "1.2.3 -rf",
      "1.2.3;id",
      "$(id)",
      "1.2.3\n",
      `1.2.3-${"a".repeat(99)}`,
    ]) {
      expect(isVersion(text), text).toBe(false);
      expect(updateFault(text, SERVER, usual)).toContain("no usable form");
    }
    for (const text of ["0.2.0", "1.2.3-rc.1", "10.20.30+build.5"]) expect(isVersion(text)).toBe(true);
  });
});

test("the package is at the server, whatever the form of its URL", () => {
  expect(packageUrl("wss://h.example/base", "1.2.3")).toBe("https://h.example/base/join/moorage-1.2.3.tgz");
});

test("the hint has the form in which the worker was started", () => {
  const hint = (launcher: string): string => updateHint(launcher, SERVER, "1.2.3");
  const url = `${SERVER}/join/moorage-1.2.3.tgz`;
  expect(hint(`npx -y ${SERVER}/join/moorage-1.2.2.tgz`)).toBe(
    `start it with: npx -y ${url} worker …; --update (UPDATE=1) does that by itself`,
  );
  expect(hint("bunx moorage")).toContain(`bunx -p ${url} moorage worker`);
  expect(hint("bun run moorage")).toContain("check out version 1.2.3 in the clone");
  expect(hint("moorage")).toContain(`npx -y ${url} worker`);
});
