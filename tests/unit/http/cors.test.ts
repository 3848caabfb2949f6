import { describe, expect, test } from "bun:test";
import { createCors as createCorsOf } from "../../../src/http/cors.ts";

const createCors = (allowedOrigins: readonly string[]) => createCorsOf({ allowedOrigins });

const preflight = (
  allowed: readonly string[],
  headers: Record<string, string>,
  methods: readonly string[] = ["POST", "OPTIONS"],
): Response => createCors(allowed).preflight(new Request("http://x/v1/y", { method: "OPTIONS", headers }), methods);

describe("an origin", () => {
  test("that is configured may read answers, and is echoed", () => {
    const headers = new Map(createCors(["https://a.example", "https://b.example"]).headersFor("https://b.example"));
    expect(headers.get("access-control-allow-origin")).toBe("https://b.example");
    expect(headers.get("access-control-expose-headers")).toContain("x-request-id");
    expect(headers.get("vary")).toBe("origin");
  });

  test.each([
    "https://other.example",
    "http://a.example",
    "https://a.example:8443",
    "https://a.example.evil.example",
    "https://sub.a.example",
    "null",
    "*",
    "",
  ])("%p is not https://a.example, and gets no header", (origin) => {
    expect(createCors(["https://a.example"]).headersFor(origin)).toEqual([]);
  });

  test("is never allowed unless configured", () => {
    expect(createCors([]).headersFor("https://a.example")).toEqual([]);
  });

  test("is allowed by a star without being echoed", () => {
    const headers = new Map(createCors(["*"]).headersFor("https://anything.example"));
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });

  test("is never allowed to send the browser's credentials", () => {
    for (const allowed of [["*"], ["https://a.example"]]) {
      const names = createCors(allowed)
        .headersFor("https://a.example")
        .map(([name]) => name);
      expect(names).not.toContain("access-control-allow-credentials");
      const answer = preflight(allowed, { origin: "https://a.example" });
      expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
    }
  });
});

describe("this machine's pages", () => {
  test.each(["http://localhost:6274", "http://127.0.0.1:5173", "http://[::1]:3000"])(
    "at %p may use a server that serves this machine only, and no other",
    (origin) => {
      for (const host of ["127.0.0.1", "::1", "localhost"]) {
        const headers = new Map(createCorsOf({ allowedOrigins: [], host }).headersFor(origin));
        expect(headers.get("access-control-allow-origin")).toBe(origin);
      }
      expect(createCorsOf({ allowedOrigins: [], host: "0.0.0.0" }).allows(origin)).toBe(false);
    },
  );

  test.each(["http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", ""])(
    "do not include %p",
    (origin) => {
      expect(createCorsOf({ allowedOrigins: [], host: "127.0.0.1" }).allows(origin)).toBe(false);
    },
  );
});

test("pages of the server itself are allowed by its public URL", () => {
  const cors = createCorsOf({ allowedOrigins: [], publicUrl: "https://moorage.example", host: "0.0.0.0" });
  expect(cors.allows("https://moorage.example")).toBe(true);
  expect(cors.allows("http://moorage.example")).toBe(false);
});

describe("a preflight", () => {
  test("of an allowed origin permits the route's methods and the requested headers", () => {
    const answer = preflight(["https://a.example"], {
      origin: "https://a.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization, x-stainless-os",
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect(answer.headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
    expect(answer.headers.get("access-control-allow-headers")).toBe("authorization, x-stainless-os");
    expect(answer.headers.get("access-control-max-age")).toBe("86400");
    expect(answer.headers.get("vary")).toBe("origin, access-control-request-headers");
  });

  test("of another origin, or of none, permits nothing", () => {
    for (const headers of [{ origin: "https://b.example" }, {}] as Record<string, string>[]) {
      const answer = preflight(["https://a.example"], {
        ...headers,
        "access-control-request-headers": "authorization",
      });
      expect(answer.status).toBe(204);
      expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
      expect(answer.headers.get("allow")).toContain("OPTIONS");
    }
  });

  test("to a path without a route permits every method, so that a script can read the error", () => {
    const answer = preflight(["*"], { origin: "https://a.example" }, []);
    expect(answer.headers.get("access-control-allow-methods")).toBe("GET, HEAD, POST, PUT, DELETE, OPTIONS");
  });

  test("with too many requested headers permits none of them", () => {
    const answer = preflight(["*"], {
      origin: "https://a.example",
      "access-control-request-headers": "x".repeat(4097),
    });
    expect(answer.headers.has("access-control-allow-headers")).toBe(false);
  });

  test("without requested headers permits none", () => {
    expect(preflight(["*"], { origin: "https://a.example" }).headers.has("access-control-allow-headers")).toBe(false);
  });
});
