import { describe, expect, test } from "bun:test";
import type { AllCallsQuery, CallPage } from "../../../src/calls/all-calls.ts";
import { CallExport, EXPORT_PAGE } from "../../../src/calls/call-export.ts";
import { toCallJson } from "../../../src/calls/call-text.ts";
import { pastCall } from "../../contract/call-records.ts";

/** An export of this many calls. `missing` are the servers that have not answered, page by page. */
function start(count: number, { limit = 10_000, missing = [] as string[][] } = {}) {
  const asked: number[] = [];
  let mayRead = true;
  const read = async ({ after, limit: most }: AllCallsQuery): Promise<CallPage> => {
    const last = (after?.[""] ?? count + 1) - 1;
    const ids = Array.from({ length: Math.min(most, last) }, (_, at) => last - at);
    asked.push(ids.length);
    const end = ids.at(-1) ?? 1;
    return {
      entries: ids.map((id) => ({ server: "", entry: pastCall(id) })),
      next: end > 1 ? { "": end } : undefined,
      missing: missing[asked.length - 1] ?? [],
    };
  };
  const opened = new CallExport({
    calls: { read },
    query: { after: undefined },
    limit,
    lineOf: ({ entry }) => String(entry.id),
    isCurrent: () => mayRead,
  }).open();
  return {
    asked,
    opened,
    end: () => {
      mayRead = false;
    },
  };
}

const textOf = async ({ opened }: ReturnType<typeof start>): Promise<string> =>
  new Response((await opened).body).text();

test("an export has all calls, in pages that are read when the client takes them", async () => {
  const started = start(2.5 * EXPORT_PAGE);
  const reader = (await started.opened).body.getReader();
  expect(started.asked).toEqual([EXPORT_PAGE]);
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read())
    text += new TextDecoder().decode(part.value);
  expect(text.trimEnd().split("\n")).toEqual(
    Array.from({ length: 2.5 * EXPORT_PAGE }, (_, at) => String(2.5 * EXPORT_PAGE - at)),
  );
  expect(started.asked).toEqual([EXPORT_PAGE, EXPORT_PAGE, EXPORT_PAGE / 2]);
});

test("an export of no calls is empty, and one with a limit has no more than that", async () => {
  expect(await textOf(start(0))).toBe("");
  const few = start(2000, { limit: EXPORT_PAGE + 3 });
  expect((await textOf(few)).trimEnd().split("\n")).toHaveLength(EXPORT_PAGE + 3);
  expect(few.asked).toEqual([EXPORT_PAGE, 3]);
});

describe("an export breaks off", () => {
  test("once its reader may not read any more", async () => {
    const started = start(2000);
    const reader = (await started.opened).body.getReader();
    await reader.read();
    started.end();
    expect(await reader.read().catch((error: Error) => error.message)).toContain("sign-in");
  });

  test("when a server that has answered before does not answer", async () => {
    const started = start(2000, { missing: [["b"], ["b"], ["b", "c"]] });
    const { body, missing } = await started.opened;
    expect(missing).toEqual(["b"]);
    const reader = body.getReader();
    await reader.read();
    await reader.read();
    expect(await reader.read().catch((error: Error) => error.message)).toContain("has not answered");
  });
});

test("viewers read no arguments", () => {
  const call = { server: "", entry: pastCall(1, { arguments: "{}" }) };
  expect(toCallJson(call, true).arguments).toBe("{}");
  expect(toCallJson(call, false).arguments).toBeNull();
});
