import { expect, test } from "bun:test";
import { explainDialError } from "../../../src/worker/dial-error.ts";

const PROXY = "http://ann:secret@proxy.example:3128/";
const failed = (what: string): string => `WebSocket connection to 'wss://hub.example/api/llm/connect' failed: ${what}`;

test("an error without a proxy keeps its words, without the URL", () => {
  expect(explainDialError(failed("Failed to connect"), false)).toEqual({
    reason: "Failed to connect",
    hint: undefined,
  });
});

test.each([false, PROXY] as const)(
  "a certificate of a private authority comes with the variable that helps (proxy: %p)",
  (proxy) => {
    for (const what of ["self signed certificate", "unable to get local issuer certificate"])
      expect(explainDialError(failed(`TLS handshake failed: ${what}`), proxy).hint).toContain("NODE_EXTRA_CA_CERTS");
  },
);

test.each([
  ["Proxy authentication required: 407 Proxy Authentication Required", "does not accept the user name or the password"],
  ["Proxy connection failed: 401 Unauthorized", "does not accept the user name or the password"],
  ["Proxy connection failed: 403 Forbidden", "refused the connection (403 Forbidden)"],
  ["Proxy connection failed: 500 Unable to connect", "refused the connection (500 Unable to connect)"],
  ["Failed to connect", "cannot be reached"],
  ["Connection ended", "through the proxy"],
])("the failure of a proxy names it, without its password: %s", (what, reason) => {
  const error = explainDialError(failed(what), PROXY);
  expect(error.reason).toContain(reason);
  expect(error.reason).toContain("the proxy http://proxy.example:3128");
  expect(JSON.stringify(error)).not.toContain("secret");
});

test("a proxy that wants a password and got none says so", () => {
  const { reason, hint } = explainDialError(
    failed("Proxy authentication required: 407 x"),
    "http://proxy.example:3128/",
  );
  expect(reason).toContain("requires a user name and a password");
  expect(hint).toContain("http://user:password@host:port");
});
