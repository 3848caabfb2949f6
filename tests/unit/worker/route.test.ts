import { describe, expect, test } from "bun:test";
import { type PathMap, routeJob } from "../../../src/worker/route.ts";

const base = "http://127.0.0.1:8080/v1";
const paths: PathMap = {
  urls: new Map([["/audio/transcriptions", "http://127.0.0.1:8080/inference"]]),
  otherwise: "transcriptions only",
};

test("a backend without own paths is called at the job's path under its base", () => {
  expect(routeJob(base, undefined, "/audio/translations?x=1")).toEqual({
    kind: "ask",
    url: "http://127.0.0.1:8080/v1/audio/translations?x=1",
  });
});

describe("a backend with own paths", () => {
  test("is called there, with the job's query", () => {
    const ask = (path: string) => routeJob(base, paths, path);
    expect(ask("/audio/transcriptions")).toEqual({ kind: "ask", url: "http://127.0.0.1:8080/inference" });
    expect(ask("/audio/transcriptions?a=b")).toEqual({ kind: "ask", url: "http://127.0.0.1:8080/inference?a=b" });
  });

  test.each(["/audio/translations", "/load", "/inference", "/audio/transcriptions/", "/__proto__", "/"])(
    "is not called for %s, and the client gets an error",
    (path) => {
      expect(routeJob(base, paths, path)).toEqual({
        kind: "answer",
        status: 400,
        body: {
          error: {
            message: "transcriptions only",
            type: "invalid_request_error",
            param: null,
            code: "unsupported_path",
          },
        },
      });
    },
  );
});

test("a job that asks for events is not sent to a backend that cannot stream", () => {
  const mute: PathMap = { ...paths, noStream: "whole answers only" };
  const ask = (map: PathMap | undefined, isStream: boolean) => routeJob(base, map, "/audio/transcriptions", isStream);
  expect(ask(mute, true)).toMatchObject({
    kind: "answer",
    status: 400,
    body: { error: { message: "whole answers only", param: "stream", code: "unsupported_parameter" } },
  });
  for (const [map, isStream] of [
    [mute, false],
    [paths, true],
    [undefined, true],
  ] as const)
    expect(ask(map, isStream).kind).toBe("ask");
});

test.each(["/../load", "//other.host/x", "/a/%2e%2e/%2e%2e/load", "no-slash"])(
  "%s has no route, mapped or not",
  (path) => {
    expect(routeJob(base, undefined, path)).toEqual({ kind: "outside" });
    expect(routeJob(base, paths, path)).toEqual({ kind: "outside" });
  },
);
