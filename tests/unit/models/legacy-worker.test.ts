import { expect, test } from "bun:test";
import fc from "fast-check";
import { chunk, end, headers, startLegacySession as start } from "../../support/legacy-session.ts";
import { times } from "../../support/times.ts";

test("an end before any head breaks the protocol, and frees the slot", () => {
  const { open, hear } = start();
  const { sink } = open();
  hear(end("1"));
  expect(sink.heard).toEqual(["broken protocol_error", "settled"]);
});

test("legacy control messages mean the same as native ones, and unknown ones are ignored", () => {
  const { session, hear, closes } = start();
  hear({ type: "status_update", status: "draining", max_concurrency: 0 }, { type: "http_proxy_something" });
  expect(session.offer).toMatchObject({ status: "draining", maxConcurrency: 0 });
  expect(closes).toEqual([]);
  hear({ type: "models_update" });
  expect(closes).toEqual(["1002 invalid models_update: models is missing"]);
});

test("a legacy worker gets no drain message, because its dialect has none", () => {
  const { session, sent } = start();
  session.sendDrain("restart", 1000);
  expect(sent).toEqual([]);
});

test("any JSON messages end each exchange at most once, and the session at most once", () => {
  const id = fc.constantFrom("1", "2", "3", "x");
  const message = fc.oneof(
    fc.tuple(id, fc.constantFrom(200, 502, 503, 999)).map(([at, status]) => headers(at, status)),
    fc.tuple(id, fc.string({ maxLength: 400 })).map(([at, text]) => chunk(at, text)),
    fc.tuple(id, fc.constantFrom(undefined, "upstream_error", "worker_draining")).map(([at, code]) => end(at, code)),
    fc.dictionary(fc.constantFrom("type", "request_id", "data"), fc.jsonValue()),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
      const { open, hear, session, closes, clock } = start();
      const sinks = [open().sink, open().sink];
      hear(...messages);
      expect(closes.length).toBeLessThanOrEqual(1);
      session.close({ code: 1001, reason: "bye" });
      clock.advance(10_000);
      for (const { heard, ends } of sinks) {
        expect(ends.length).toBe(1);
        expect(heard.indexOf("settled")).toBe(heard.length - 1);
      }
      expect(clock.pending).toBe(0);
    }),
    { numRuns: times(2000) },
  );
});
