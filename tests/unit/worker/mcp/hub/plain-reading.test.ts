import { expect, test } from "bun:test";
import { readPlain } from "../../../../../src/worker/mcp/hub/plain-reading.ts";
import { event, events, RESULT } from "../../../../support/scripted-member.ts";

const ANSWER = event({ id: 7, result: RESULT });

test("the result of an event stream is found after a few comments", async () => {
  expect(await readPlain(events(": hi\n\n", ": hi\n\n", ANSWER), 7)).toMatchObject({ kind: "plain" });
});

test("an event stream in many pieces is left to the transport, whole", async () => {
  const pieces = [...Array.from({ length: 1000 }, (_, at) => `: ${at}\n\n`), ANSWER];
  const reading = await readPlain(events(...pieces), 7);
  expect(reading.kind).toBe("other");
  expect(reading.kind === "other" && (await new Response(reading.answer.body as ReadableStream).text())).toBe(
    pieces.join(""),
  );
});
