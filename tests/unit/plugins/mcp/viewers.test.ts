import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../../src/auth/caller.ts";
import type { RelayFacts } from "../../../../src/plugins/mcp/catalog/relay-facts.ts";
import { viewOf } from "../../../../src/plugins/mcp/catalog/viewers.ts";

const FACTS: RelayFacts = {
  id: "files",
  name: "files",
  access: "connector",
  restricts: true,
  isNative: true,
  connectedAt: 0,
  isDrained: false,
};

test("a client sees a connector relay of this version's dialect alone", () => {
  const connectors = { clientOf: () => undefined, accessAt: () => ({ kind: "allowed", rules: undefined }) as const };
  const kindFor = (facts: Partial<RelayFacts>): string =>
    viewOf({ connectors }, { kind: "client", caller: ANONYMOUS }, { ...FACTS, ...facts }).kind;
  expect(kindFor({})).toBe("own");
  expect(kindFor({ isNative: false })).toBe("nothing");
  for (const access of ["none", "token", "oauth"]) expect(kindFor({ access })).toBe("nothing");
});
