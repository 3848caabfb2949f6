import { expect, test } from "bun:test";
import { createVisit } from "../../../src/http/visit.ts";

const request = new Request("http://server.test/");

test.each([["203.0.113.9"], [undefined]])(
  "a visit looks its address up once, when it is first asked for (%p)",
  (address) => {
    const asked: Request[] = [];
    const visit = createVisit(request, "req_1", {
      addressOf: (each) => {
        asked.push(each);
        return address;
      },
    });
    expect([visit.request, visit.requestId]).toEqual([request, "req_1"]);
    expect(asked).toEqual([]);
    expect([visit.address(), visit.address()]).toEqual([address, address]);
    expect(asked).toEqual([request]);
  },
);
