import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../../src/system/deps.ts";
import { silentLog } from "../../../src/system/log.ts";
import { type IdentityOptions, WorkerIdentity } from "../../../src/worker/identity.ts";
import { IdentityFault, identityFileAt } from "../../../src/worker/identity-file.ts";
import { identityPath } from "../../../src/worker/identity-path.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const tokenOf = (id: string): string => `mj_${id.padEnd(12, "0")}_${"s".repeat(32)}_${"c".repeat(6)}`;
const SERVER = "https://hub.example";

let directory: { readonly path: string; remove(): void };
let path: string;
beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "state", "worker.json");
});
afterEach(() => directory.remove());

function open(options: Partial<IdentityOptions> = {}): WorkerIdentity | undefined {
  return WorkerIdentity.open({
    file: identityFileAt(path),
    server: SERVER,
    joinToken: undefined,
    id: undefined,
    otherIds: [],
    clientKey: undefined,
    newId: () => crypto.randomUUID(),
    log: silentLog,
    ...options,
  });
}

function opened(options: Partial<IdentityOptions> = {}): WorkerIdentity {
  const identity = open(options);
  if (!identity) throw new Error("there is no identity");
  return identity;
}

test("a worker without a token and without a file has no identity, and writes nothing", () => {
  expect(open()).toBeUndefined();
  expect(readdirSync(directory.path)).toEqual([]);
});

test("a worker shows its token and a proof, which are the same after a crash, and then its key alone", () => {
  const joinToken = tokenOf("a");
  const first = opened({ joinToken });
  const fields = first.forLinks().fields();
  expect(fields).toEqual({
    join_token: joinToken,
    join_proof: expect.stringMatching(/^[\w-]{32}$/),
    join_ids: [first.workerId],
  });
  const second = opened({ joinToken });
  expect(second.workerId).toBe(first.workerId);
  expect(second.forLinks().fields()).toEqual(fields);
  second.forLinks().handleRegistered?.({ credential: "mk_key" });
  expect(second.forLinks().fields()).toEqual({ client_key: "mk_key" });
  // With the token and without it.
  expect(opened({ joinToken }).forLinks().fields()).toEqual({ client_key: "mk_key" });
  expect(opened().forLinks().fields()).toEqual({ client_key: "mk_key" });
  expect(opened().workerId).toBe(first.workerId);
});

test("the file is its owner's alone, and holds neither the token nor, in the end, the proof", () => {
  const joinToken = tokenOf("a");
  const identity = opened({ joinToken });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const proof = String(identity.forLinks().fields().join_proof);
  expect(readFileSync(path, "utf8")).toContain(proof);
  chmodSync(path, 0o644);
  identity.forLinks().handleRegistered?.({ credential: "mk_key" });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, "utf8");
  expect(text).toContain("mk_key");
  expect(text).not.toContain(proof);
  expect(text).not.toContain("s".repeat(32));
  expect(readdirSync(join(directory.path, "state"))).toEqual(["worker.json"]);
});

test("a key goes to no other server than the one that made it, and a worker without one says how to get it", () => {
  opened({ joinToken: tokenOf("a") })
    .forLinks()
    .handleRegistered?.({ credential: "mk_key" });
  expect(() => open({ server: "https://other.example" })).toThrow(
    `${path} has no key for https://other.example: this worker has joined ${SERVER}.`,
  );
  const joinToken = tokenOf("b");
  const other = opened({ server: "https://other.example", joinToken });
  expect(other.forLinks().fields()).toEqual({
    join_token: joinToken,
    join_proof: expect.any(String),
    join_ids: [other.workerId],
  });
});

test("a worker keeps the keys of several servers in one file", () => {
  const servers = [SERVER, "https://other.example", "https://third.example"];
  const ids = servers.map((server, index) => {
    const identity = opened({ server, joinToken: tokenOf(`t${index}`) });
    identity.forLinks().handleRegistered?.({ credential: `mk_${index}` });
    return identity.workerId;
  });
  for (const [index, server] of servers.entries()) {
    const identity = opened({ server });
    expect(identity.workerId).toBe(ids[index] ?? "");
    expect(identity.forLinks().fields()).toEqual({ client_key: `mk_${index}` });
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a file of the first form, with one server, is read and keeps its key when the worker joins another server", () => {
  mkdirSync(join(directory.path, "state"));
  const kept = { version: 1, server: SERVER, worker_id: "gpu", token_id: "a", credential: "mk_first" };
  writeFileSync(path, JSON.stringify(kept));
  expect(opened().forLinks().fields()).toEqual({ client_key: "mk_first" });
  opened({ server: "https://other.example", joinToken: tokenOf("b") })
    .forLinks()
    .handleRegistered?.({ credential: "mk_second" });
  expect(opened({ id: "gpu" }).forLinks().fields()).toEqual({ client_key: "mk_first" });
});

test("an id that is not the one of the kept key is a fault, and a token takes it", () => {
  const joinToken = tokenOf("a");
  opened({ joinToken, id: "gpu" }).forLinks().handleRegistered?.({ credential: "mk_key" });
  expect(() => open({ id: "other" })).toThrow(`The key in ${path} is that of the worker gpu`);
  const other = opened({ joinToken: tokenOf("b"), id: "other" });
  expect(other.forLinks().fields()).toMatchObject({ join_ids: ["other"], previous_client_key: "mk_key" });
});

test("without a token, a worker goes on with the key that it had before a token that was refused", () => {
  opened({ joinToken: tokenOf("a") })
    .forLinks()
    .handleRegistered?.({ credential: "mk_old" });
  opened({ joinToken: tokenOf("b") })
    .forLinks()
    .handleClosed("join_token_expired");
  expect(opened().forLinks().fields()).toMatchObject({ client_key: "mk_old" });
});

test("a worker that has lost its token before the server answered says so", () => {
  const lines: string[] = [];
  opened({ joinToken: tokenOf("a") });
  const log: Log = { ...silentLog, warn: (event) => void lines.push(event), with: () => log };
  expect(open({ log })).toBeUndefined();
  expect(lines).toEqual(["join.not_finished"]);
});

test("two workers with one state file get the advice to separate them, and not to leave the id out", () => {
  const links = opened({ joinToken: tokenOf("a") }).forLinks();
  links.handleRegistered?.({ credential: "mk_key" });
  expect(links.hint?.("replaced")).toContain(`both use the same state, ${path}`);
});

test("with another token, a worker joins anew under its id, which its former key proves", () => {
  const before = opened({ joinToken: tokenOf("a") });
  before.forLinks().handleRegistered?.({ credential: "mk_old" });
  const joinToken = tokenOf("b");
  const again = opened({ joinToken });
  expect(again.workerId).toBe(before.workerId);
  expect(again.forLinks().fields()).toMatchObject({ join_token: joinToken, previous_client_key: "mk_old" });
  again.forLinks().handleRegistered?.({ credential: "mk_new" });
  // The ids of its other links may still belong to the former key.
  expect(opened().forLinks().fields()).toEqual({ client_key: "mk_new", previous_client_key: "mk_old" });
});

test("a token that is refused leaves the former key as the proof of the id for the next token", () => {
  const before = opened({ joinToken: tokenOf("a") });
  before.forLinks().handleRegistered?.({ credential: "mk_old" });
  opened({ joinToken: tokenOf("b") })
    .forLinks()
    .handleClosed("join_token_expired");
  const again = opened({ joinToken: tokenOf("c") });
  expect(again.workerId).toBe(before.workerId);
  expect(again.forLinks().fields()).toMatchObject({ join_token: tokenOf("c"), previous_client_key: "mk_old" });
});

test("the operator's id is the worker's, and a client key proves that it was its own before", () => {
  const identity = opened({ joinToken: tokenOf("a"), id: "gpu", otherIds: ["files"], clientKey: "old" });
  expect(identity.workerId).toBe("gpu");
  expect(identity.forLinks().fields()).toMatchObject({ join_ids: ["gpu", "files"], previous_client_key: "old" });
});

test("of two processes that begin at the same moment, both are one worker", () => {
  const joinToken = tokenOf("a");
  const file = identityFileAt(path);
  // The other process writes between the look and the write of this one.
  const late = { ...file, read: () => undefined as ReturnType<typeof file.read> };
  const first = opened({ joinToken });
  let looks = 0;
  const second = opened({ joinToken, file: { ...late, read: () => (looks++ === 0 ? undefined : file.read()) } });
  expect(second.workerId).toBe(first.workerId);
  expect(second.forLinks().fields()).toEqual(first.forLinks().fields());
});

test("while there is no key yet, one link is dialled at a time, and a failed one lets the next have its turn", async () => {
  const identity = opened({ joinToken: tokenOf("a") });
  const [llm, asr, mcp] = [identity.forLinks(), identity.forLinks(), identity.forLinks()];
  expect(llm.turn?.()).toBeUndefined();
  const waiting = [asr.turn?.(), mcp.turn?.()];
  expect(waiting.every((each) => each instanceof Promise)).toBe(true);
  llm.handleClosed("join_unavailable");
  await Promise.all(waiting);
  expect(asr.turn?.()).toBeUndefined();
  expect(mcp.turn?.()).toBeInstanceOf(Promise);
  asr.handleRegistered?.({ credential: "mk_key" });
  expect([llm.turn?.(), mcp.turn?.()]).toEqual([undefined, undefined]);
  expect(mcp.fields()).toEqual({ client_key: "mk_key" });
});

test("a key that the server does not accept any more makes the worker say how it joins again", () => {
  const identity = opened({ joinToken: tokenOf("a") });
  const links = identity.forLinks();
  expect(links.hint?.("unauthorized")).toBeUndefined();
  links.handleRegistered?.({ credential: "mk_key" });
  expect(links.hint?.("key_removed")).toContain("--join");
  expect(links.hint?.("draining")).toBeUndefined();
});

test("a file that cannot be written, or is something else, is a fault before anything is sent", () => {
  writeFileSync(join(directory.path, "state"), "a file where the directory should be");
  expect(() => open({ joinToken: tokenOf("a") })).toThrow(IdentityFault);
  writeFileSync(join(directory.path, "other.json"), '{"version": 2}');
  const file = identityFileAt(join(directory.path, "other.json"));
  expect(() => open({ file, joinToken: tokenOf("a") })).toThrow("not the state of a worker");
  expect(open({ file })).toBeUndefined();
});

test("a key that cannot be written is used all the same, and the trade can be repeated", () => {
  const joinToken = tokenOf("a");
  const file = identityFileAt(path);
  const failing = {
    ...file,
    write: () => {
      throw new IdentityFault("the disk is full");
    },
  };
  const links = opened({ joinToken, file: failing }).forLinks();
  const before = links.fields();
  links.handleRegistered?.({ credential: "mk_key" });
  expect(links.fields()).toEqual({ client_key: "mk_key" });
  expect(opened({ joinToken }).forLinks().fields()).toEqual(before);
});

describe("the place of the file", () => {
  const given = { stateFile: undefined, server: "wss://hub.example:8443", id: undefined };
  const at = (platform: NodeJS.Platform, env: Record<string, string> = {}, more = {}, home = "/home/ann"): string =>
    identityPath({ ...given, ...more }, { platform, env, home }) ?? "nowhere";

  test("follows the custom of the system", () => {
    expect(at("linux")).toStartWith("/home/ann/.local/state/moorage/worker-hub.example-8443-");
    expect(at("linux", { XDG_STATE_HOME: "/x" })).toStartWith("/x/moorage/worker-");
    expect(at("linux", { STATE_DIRECTORY: "/var/lib/w:/y" })).toStartWith("/var/lib/w/worker-");
    expect(at("darwin")).toStartWith("/home/ann/Library/Application Support/moorage/worker-");
    expect(at("win32", { LOCALAPPDATA: "/app" })).toStartWith("/app/moorage/worker-");
  });

  test("is another one for each server and each id of the operator's, and the same for both schemes", () => {
    const paths = [at("linux"), at("linux", {}, { server: "wss://hub.example" }), at("linux", {}, { id: "gpu" })];
    expect(new Set(paths).size).toBe(3);
    expect(at("linux", {}, { server: "https://hub.example:8443" })).toBe(at("linux"));
  });

  test("is what STATE_FILE says", () => {
    expect(at("linux", {}, { stateFile: "/var/lib/w.json" })).toBe("/var/lib/w.json");
  });

  test("is nowhere where STATE_FILE says so, and for a user without a home", () => {
    expect(at("linux", {}, { stateFile: "none" })).toBe("nowhere");
    for (const platform of ["linux", "darwin", "win32"] as const) expect(at(platform, {}, {}, "")).toBe("nowhere");
    expect(at("linux", { XDG_STATE_HOME: "/x" }, {}, "")).toStartWith("/x/moorage/worker-");
  });
});
