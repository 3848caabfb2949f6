import { describe, expect, test } from "bun:test";
import {
  createProxyChoice,
  parseProxyUrl,
  shownProxy,
  withProxyVariables,
} from "../../../src/worker/outgoing-proxy.ts";

const HTTPS = "http://tls-proxy:3128/";
const HTTP = "http://plain-proxy:3128/";

const choose = (url: string, noProxy?: string): string | false =>
  createProxyChoice({ httpsProxy: HTTPS, httpProxy: HTTP, noProxy })(url);

describe("the proxy for a URL", () => {
  test.each([
    ["https://hub.example", HTTPS],
    ["wss://hub.example/api/llm/connect", HTTPS],
    ["http://gpu.example:8000/v1", HTTP],
    ["ws://hub.example:8080", HTTP],
  ])("%s is the one of its scheme", (url, proxy) => {
    expect(choose(url)).toBe(proxy);
  });

  test.each([
    "http://localhost:11434/v1",
    "http://127.0.0.1:8000",
    "http://127.8.9.1",
    "https://[::1]:8443",
    "ws://0.0.0.0:8080",
    "http://[::]:8080",
    "http://[::ffff:127.0.0.1]:8080",
    "http://ollama.localhost",
    "http://localhost.:11434",
    "http://ollama.localhost.",
    "http://LOCALHOST",
    "http://2130706433",
  ])("is none for %s, which is this machine", (url) => {
    expect(choose(url)).toBe(false);
  });

  test("is none without variables, and where only the other scheme has one", () => {
    const none = { httpsProxy: undefined, httpProxy: undefined, noProxy: undefined };
    expect(createProxyChoice(none)("https://hub.example")).toBe(false);
    expect(createProxyChoice({ ...none, httpsProxy: HTTPS })("http://hub.example")).toBe(false);
  });
});

describe("NO_PROXY", () => {
  test.each([
    ["*", "https://hub.example"],
    ["example", "https://hub.example"],
    [".example", "https://hub.example"],
    ["*.example", "https://a.hub.example"],
    [".example", "https://example"],
    ["HUB.Example.", "https://hub.example"],
    ["a.b, hub.example ,c.d", "https://hub.example"],
    ["a.b hub.example", "https://hub.example"],
    ["hub.example:443", "https://hub.example"],
    ["hub.example:8443", "wss://hub.example:8443"],
    ["10.0.0.0/8", "http://10.1.2.3:8000"],
    ["10.1.2.3", "http://10.1.2.3"],
    ["10.1.2.3:8000", "http://10.1.2.3:8000"],
    ["fd00::/8", "http://[fd12::1]:8000"],
    ["[fd12::1]:8000", "http://[fd12::1]:8000"],
    ["[fd12::1]", "http://[fd12::1]:8000"],
    ["[fd00::]/8", "http://[fd12::1]:8000"],
  ])("%s spares %s", (noProxy, url) => {
    expect(choose(url, noProxy)).toBe(false);
  });

  test.each([
    ["", "https://hub.example"],
    ["ample", "https://hub.example"],
    ["hub.example:80", "https://hub.example"],
    ["10.0.0.0/8", "http://11.1.2.3"],
    ["10.0.0.0/99", "http://10.1.2.3"],
    ["10.0.0.0/x", "http://10.1.2.3"],
    ["10.", "http://10.1.2.3"],
    ["10.0.0.0/8", "http://ten.example"],
    [",,", "https://hub.example"],
    [".", "https://hub.example"],
  ])("%s does not spare %s", (noProxy, url) => {
    expect(choose(url, noProxy)).not.toBe(false);
  });
});

test("a proxy may lack its scheme, and must be one for HTTP", () => {
  expect(parseProxyUrl("proxy.example:3128")).toBe("http://proxy.example:3128/");
  expect(parseProxyUrl("https://ann:p%40ss@proxy.example")).toBe("https://ann:p%40ss@proxy.example/");
  for (const wrong of ["socks5://proxy.example", "http://", "http://a b", "http://proxy/path", "http://proxy/?x"])
    expect(parseProxyUrl(wrong)).toBeUndefined();
  expect(shownProxy("http://ann:secret@proxy.example:3128/")).toBe("http://proxy.example:3128");
});

test("the variables are read in lower and upper case, with ALL_PROXY for both schemes unless it names another kind", () => {
  const read = (env: Record<string, string>) => {
    const { HTTPS_PROXY, HTTP_PROXY, NO_PROXY } = withProxyVariables(env);
    return [HTTPS_PROXY, HTTP_PROXY, NO_PROXY];
  };
  expect(read({ https_proxy: "a", HTTPS_PROXY: "b", HTTP_PROXY: "c", no_proxy: "d" })).toEqual(["a", "c", "d"]);
  expect(read({ ALL_PROXY: "http://all", http_proxy: "c" })).toEqual(["http://all", "c", undefined]);
  expect(read({ all_proxy: "socks5://all:1080" })).toEqual([undefined, undefined, undefined]);
  expect(read({ HTTPS_PROXY: " " })).toEqual([undefined, undefined, undefined]);
});
