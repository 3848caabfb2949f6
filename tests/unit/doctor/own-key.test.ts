import { expect, test } from "bun:test";
import { judgeRefusal } from "../../../src/doctor/link-checks.ts";
import { type OwnKey, ownKeyChecks, readOwnKey } from "../../../src/doctor/own-key.ts";
import { createKeyText } from "../../../src/keys/key-text.ts";
import { IdentityFault, type KeptIdentity } from "../../../src/worker/identity-file.ts";

const TOKEN = createKeyText("mj", "0".repeat(12), (count) => new Uint8Array(count).fill(7));
const MISTYPED = `${TOKEN.slice(0, -1)}${TOKEN.endsWith("0") ? "1" : "0"}`;
const KEPT: KeptIdentity = { server: "https://hub.example", workerId: "gpu", tokenId: "a", credential: "mk_key" };

function own(
  found: readonly KeptIdentity[] | undefined,
  given: { joinToken?: string; id?: string } = {},
  key?: string,
) {
  const settings = { server: "wss://hub.example", clientKeys: key === undefined ? [] : [key], ...given };
  return readOwnKey(settings, { path: "/state.json", read: () => found });
}

async function verdictOf(ownKey: OwnKey): Promise<readonly [string, string] | undefined> {
  const [check] = ownKeyChecks(ownKey);
  const found = await check?.run(new AbortController().signal);
  return found && [found.verdict, `${found.measured} ${found.advice ?? ""}`];
}

test("a worker that does not join gets no check of its own key", () => {
  expect(own(undefined)).toEqual({ kind: "none" });
  expect(own([KEPT], {}, "client-key")).toEqual({ kind: "none" });
  expect(ownKeyChecks({ kind: "none" })).toEqual([]);
});

test("a join token is checked by its form, and never used", async () => {
  expect(await verdictOf(own(undefined, { joinToken: TOKEN }))).toEqual(["good", expect.stringContaining("is whole")]);
  expect(await verdictOf(own(undefined, { joinToken: MISTYPED }))).toEqual([
    "bad",
    expect.stringContaining("mistyped"),
  ]);
  // The worker joins anew with it.
  const elsewhere = { ...KEPT, server: "https://other.example" };
  expect(own([elsewhere], { joinToken: TOKEN })).toEqual({ kind: "token", isWhole: true });
  expect(own([KEPT], { joinToken: TOKEN, id: "other" })).toEqual({ kind: "token", isWhole: true });
  expect(own([{ ...KEPT, credential: undefined }], { joinToken: TOKEN })).toEqual({ kind: "token", isWhole: true });
});

test("the key of a worker that has joined is shown under an id beside the worker's", async () => {
  const kept = own([KEPT], { joinToken: MISTYPED });
  expect(kept).toEqual({ kind: "kept", path: "/state.json", credential: "mk_key", workerId: "gpu.doctor" });
  expect(await verdictOf(kept)).toEqual(["good", expect.stringContaining("no join token is needed")]);
  const long = own([{ ...KEPT, workerId: "g".repeat(125) }]);
  expect(await verdictOf(long)).toEqual(["bad", expect.stringContaining("too long")]);
});

test("a state file that does not fit is bad, with what to do", async () => {
  expect(await verdictOf(own([KEPT], { id: "other" }))).toEqual(["bad", expect.stringContaining("Leave --id out")]);
  const elsewhere = own([{ ...KEPT, server: "https://other.example" }]);
  expect(await verdictOf(elsewhere)).toEqual(["bad", expect.stringContaining("has no key for https://hub.example")]);
  const unfinished = own([{ ...KEPT, credential: undefined }]);
  expect(await verdictOf(unfinished)).toEqual(["warning", expect.stringContaining("same token again")]);
  const read = (): never => {
    throw new IdentityFault("/state.json cannot be read (EACCES).");
  };
  const unreadable = readOwnKey({ server: "wss://hub.example", clientKeys: [] }, { path: "/state.json", read });
  expect(await verdictOf(unreadable)).toEqual(["bad", expect.stringContaining("EACCES")]);
});

test("a refusal says what it means for a worker that has joined, or has a token alone", () => {
  const end = { code: 1008, reason: "unauthorized", registeredMs: undefined, retryAfterMs: undefined };
  const kept: OwnKey = { kind: "kept", path: "/s", credential: "mk_key", workerId: "gpu.doctor" };
  expect(judgeRefusal(end, { clientKey: "mk_key", ownKey: kept }).advice).toContain("Ask for a join token");
  const token: OwnKey = { kind: "token", isWhole: true };
  expect(judgeRefusal(end, { clientKey: undefined, ownKey: token })).toMatchObject({
    verdict: "skipped",
    advice: "Start the worker, then run the doctor again.",
  });
});
