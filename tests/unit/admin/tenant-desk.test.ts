import { expect, test } from "bun:test";
import { TenantDesk } from "../../../src/admin/tenant-desk.ts";
import { Fault } from "../../../src/errors.ts";
import { TenantBook } from "../../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../../src/keys/tenant-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1", address: undefined };

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("on a full disk the limits of a tenant count at once, and their operator learns that a restart would undo that", () => {
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: new FakeClock() });
  const notes: string[] = [];
  let isFull = true;
  const audit = { note: ({ what }: { readonly what: string }) => void notes.push(what) };
  const desk = new TenantDesk({ tenants, isFailing: () => isFull, audit });
  const set = faultOf(() => desk.set("research", { limits: { parallel: 8 } }, BY));
  expect([set.code, set.retryAfterS]).toEqual(["keys_unavailable", 10]);
  expect(set.message).toContain("The change is in effect");
  expect(tenants.get("research")?.limits).toEqual({ parallel: 8 });
  expect(faultOf(() => desk.remove("research", BY)).code).toBe("keys_unavailable");
  expect(tenants.get("research")).toBeUndefined();
  expect(notes).toEqual(["tenant.limits", "tenant.remove"]);
  isFull = false;
  expect(desk.set("research", { limits: { parallel: 9 } }, BY).limits).toEqual({ parallel: 9 });
});
