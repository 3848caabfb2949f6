import { expect, test } from "bun:test";
import { bodyKind } from "../../../src/reply/body-kind.ts";
import type { HeaderPairs } from "../../../src/wire/heads.ts";

const EVENTS = ["content-type", "text/event-stream"] as const;

test.each<[HeaderPairs, ReturnType<typeof bodyKind>]>([
  [[], "other"],
  [[["content-type", "application/json"]], "other"],
  [[["content-encoding", "gzip"]], "other"],
  [[EVENTS], "events"],
  [[["Content-Type", "Text/Event-Stream; charset=utf-8"]], "events"],
  [[EVENTS, ["content-encoding", "identity"]], "events"],
  [[EVENTS, ["content-encoding", ""]], "events"],
  [[EVENTS, ["content-encoding", "gzip"]], "coded events"],
  [[["Content-Encoding", "BR"], EVENTS], "coded events"],
  [[EVENTS, ["content-encoding", "identity"], ["content-encoding", "zstd"]], "coded events"],
  [[EVENTS, ["content-encoding", "identity, gzip"]], "coded events"],
])("a body with the headers %j is %s", (headers, kind) => {
  expect(bodyKind({ status: 200, headers })).toBe(kind);
});
