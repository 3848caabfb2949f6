import { expect, test } from "bun:test";
import { ClientKeys } from "../../../src/worker/client-keys.ts";

test("a worker without a key names none, and one with a single key names that alone", () => {
  expect(new ClientKeys([]).fields()).toEqual({ client_key: undefined });
  expect(new ClientKeys(["k"]).fields()).toEqual({ client_key: "k" });
});

test("a worker with two keys names the first as its key and the second as the previous one", () => {
  expect(new ClientKeys(["new", "old"]).fields()).toEqual({ client_key: "new", previous_client_key: "old" });
});

test("the keys change places when a server refuses them, and at no other end of a link", () => {
  const keys = new ClientKeys(["new", "old"]);
  for (const name of ["id_in_use", "draining", "no_close_frame", undefined] as const) keys.handleClosed(name);
  expect(keys.fields().client_key).toBe("new");
  keys.handleClosed("unauthorized");
  expect(keys.fields()).toEqual({ client_key: "old", previous_client_key: "new" });
  keys.handleClosed("unauthorized");
  expect(keys.fields().client_key).toBe("new");
});
