import { expect, test } from "bun:test";
import { bearerIn } from "../../../src/wire/bearer.ts";

test.each([
  ["Bearer one", "one"],
  ["bearer one", "one"],
  ["BEARER   one  ", "one"],
  ["Bearer ey.J0.x-_~+/=", "ey.J0.x-_~+/="],
])("%p holds the token %p", (header, token) => {
  expect(bearerIn(header)).toBe(token);
});

test.each([undefined, null, "", "one", "Bearer", "Bearer ", "Bearerone", "Basic one", "Bearer one two", " Bearer one"])(
  "%p holds no token",
  (header) => {
    expect(bearerIn(header)).toBeUndefined();
  },
);
