import { expect, test } from "bun:test";
import { lowerOf } from "../../../src/pool/urgency.ts";

test("a request can lower the class of its caller, and never raise it", () => {
  expect(lowerOf("normal", undefined)).toBe("normal");
  expect(lowerOf("normal", "background")).toBe("background");
  expect(lowerOf("normal", "interactive")).toBe("normal");
  expect(lowerOf("interactive", "normal")).toBe("normal");
  expect(lowerOf("background", "interactive")).toBe("background");
});
