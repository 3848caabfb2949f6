import { describe, expect, test } from "bun:test";
import { TransferRate } from "../../../../src/plugins/transfer/transfer-rate.ts";

describe("the rate of a transfer", () => {
  test("is the number of bytes per second between two looks", () => {
    const rate = new TransferRate(1000);
    expect(rate.bytesPerS).toBeNull();
    rate.look(500, 1500);
    expect(rate.bytesPerS).toBe(1000);
    rate.look(500, 2500);
    expect(rate.bytesPerS).toBe(0);
    rate.look(700, 2500);
    expect(rate.bytesPerS).toBe(0);
    rate.look(700, 3500);
    expect(rate.bytesPerS).toBe(200);
  });

  test("is unknown if the server does not see the bytes", () => {
    const rate = new TransferRate(0);
    rate.look(undefined, 1000);
    expect(rate.bytesPerS).toBeNull();
  });
});
