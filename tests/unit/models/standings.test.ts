import { describe, expect, test } from "bun:test";
import { type Caller, type CallerClass, createCaller } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import { EndUsers } from "../../../src/models/end-users.ts";
import { Standings } from "../../../src/models/standings.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ALICE = createCaller("alice");
const endUsers = new EndUsers(() => "secret", new FakeClock());
const standings = new Standings(["x-openwebui-user-id", "x-other"], endUsers);

function endUserOf(headers: Record<string, string>, fields: object = {}, caller: Caller = ALICE): string | undefined {
  return standings.of(caller, new Headers(headers), { ...fields }).endUser;
}

function classOf(own: CallerClass, priority?: string, tier?: unknown): CallerClass {
  const headers = new Headers(priority === undefined ? {} : { "x-moorage-priority": priority });
  return standings.of({ ...ALICE, class: own }, headers, { service_tier: tier }).class;
}

describe("the end user of a request", () => {
  test("is nobody unless it is named", () => {
    expect(standings.of(ALICE, new Headers())).toEqual({ class: "normal", endUser: undefined });
    expect(endUserOf({ "x-openwebui-user-id": " " }, { user: "", safety_identifier: 7 })).toBeUndefined();
  });

  test("is known by a short digest, never by name", () => {
    expect(endUserOf({ "x-openwebui-user-id": "bob" })).toMatch(/^[\w-]{12}$/);
    expect(endUserOf({}, { user: "x".repeat(1_000_000) })).toMatch(/^[\w-]{12}$/);
  });

  test("is the same in a header and in the body", () => {
    const bob = endUserOf({ "x-openwebui-user-id": "bob" });
    expect(endUserOf({ "X-Other": " bob " })).toBe(bob);
    expect(endUserOf({}, { user: "bob" })).toBe(bob);
    expect(endUserOf({}, { safety_identifier: "bob" })).toBe(bob);
    expect(endUserOf({}, { user: "carol" })).not.toBe(bob);
  });

  test("comes from the first header that is sent, then from safety_identifier, then from user", () => {
    const named = (name: string) => endUserOf({}, { user: name });
    const fields = { user: "u", safety_identifier: "s" };
    expect(endUserOf({ "x-other": "o", "x-openwebui-user-id": "w" }, fields)).toBe(named("w"));
    expect(endUserOf({ "x-other": "o", "x-openwebui-user-id": "" }, fields)).toBe(named("o"));
    expect(endUserOf({}, fields)).toBe(named("s"));
  });

  test("is looked for only in the header that the caller's key names, if it names one", () => {
    const keyed: Caller = { ...ALICE, userHeader: "x-employee" };
    const fields = { user: "carol" };
    const bob = endUserOf({}, { user: "bob" });
    expect(endUserOf({ "X-Employee": " bob ", "x-openwebui-user-id": "dave" }, fields, keyed)).toBe(bob);
    expect(endUserOf({ "x-openwebui-user-id": "dave" }, fields, keyed)).toBeUndefined();
    const none = new Standings([], endUsers);
    expect(none.of(keyed, new Headers({ "x-employee": "bob" })).endUser).toBe(bob);
  });

  test("is not looked for where no header is configured", () => {
    const none = new Standings([], endUsers);
    expect(none.of(ALICE, new Headers({ "x-openwebui-user-id": "bob" }), { user: "bob" }).endUser).toBeUndefined();
  });
});

describe("the class of a request", () => {
  test.each<[CallerClass, string, CallerClass]>([
    ["interactive", "interactive", "interactive"],
    ["interactive", "normal", "normal"],
    ["interactive", " Background ", "background"],
    ["normal", "interactive", "normal"],
    ["normal", "background", "background"],
    ["background", "interactive", "background"],
    ["background", "normal", "background"],
    ["interactive", " ", "interactive"],
  ])("of a caller of class %s that asks for %p is %s", (own, priority, expected) => {
    expect(classOf(own, priority)).toBe(expected);
  });

  test("is background for the service tier flex, whatever the header says", () => {
    expect(classOf("normal", undefined, "flex")).toBe("background");
    expect(classOf("interactive", "interactive", "flex")).toBe("background");
  });

  test.each(["auto", "default", "priority", "scale", "standard_only", "unknown", null, 7, undefined])(
    "is not changed by the service tier %p, which is the backend's",
    (tier) => {
      for (const own of ["interactive", "normal", "background"] as const)
        expect(classOf(own, undefined, tier)).toBe(own);
    },
  );

  test.each(["high", "interactive, background", "0"])(
    "is refused for the priority %p, with what is allowed",
    (text) => {
      expect(() => classOf("normal", text)).toThrow(Fault);
      expect(() => classOf("normal", text)).toThrow("'x-moorage-priority' must be interactive, normal or background.");
    },
  );
});
