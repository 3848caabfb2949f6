import { describe, expect, test } from "bun:test";
import { judgeCancel } from "../../../src/doctor/cancel.ts";
import { judgeClock, judgeVersion } from "../../../src/doctor/http.ts";
import { judgeLongStream, judgeSlowAnswer } from "../../../src/doctor/idle.ts";
import { judgeRefusal } from "../../../src/doctor/link-checks.ts";
import { judgeReached, judgeTunnel } from "../../../src/doctor/reach.ts";
import { moorageCode, speakerName } from "../../../src/doctor/speaker.ts";
import { judgeStream } from "../../../src/doctor/streaming.ts";
import { judgeTls } from "../../../src/doctor/tls.ts";

const DAY_MS = 24 * 60 * 60_000;

describe("the verdict on a certificate", () => {
  const facts = { distrust: undefined, protocol: "TLSv1.3", endsAt: 20 * DAY_MS, issuer: "Let's Encrypt" };

  test("is good from 14 days before its end, and a warning after that", () => {
    expect(judgeTls(facts, "h", 0)).toEqual({
      verdict: "good",
      measured: "TLSv1.3, certificate of Let's Encrypt, valid for 20 more days",
    });
    expect(judgeTls(facts, "h", 6 * DAY_MS).verdict).toBe("good");
    expect(judgeTls(facts, "h", 6 * DAY_MS + 1).verdict).toBe("warning");
    expect(judgeTls(facts, "h", 19 * DAY_MS).measured).toEndWith("for 1 more day");
  });

  test.each([
    ["CERT_HAS_EXPIRED", "Renew"],
    ["CERT_NOT_YET_VALID", "clock"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "hub.example"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "fullchain.pem"],
    ["SOMETHING_NEW", "trusts"],
  ])("comes with advice if it is not trusted because of %s", (distrust, advice) => {
    const finding = judgeTls({ ...facts, distrust }, "hub.example", 0);
    expect(finding.verdict).toBe("bad");
    expect(finding.measured).toContain(distrust);
    expect(finding.advice).toContain(advice);
  });
});

describe("the verdict on addresses", () => {
  const four = { address: "192.0.2.1", family: 4, elapsedMs: 12 } as const;
  const six = { address: "2001:db8::1", family: 6, code: "ETIMEDOUT" } as const;
  const direct = { port: 443 };

  test("is a warning that names the DNS record if one family never answers", () => {
    const finding = judgeReached([four, six], direct);
    expect(finding).toMatchObject({ verdict: "warning" });
    expect(finding.advice).toContain("AAAA");
  });

  test("ignores a family that this machine does not have", () => {
    expect(judgeReached([four, { ...six, code: "ENETUNREACH" }], direct).verdict).toBe("good");
    expect(judgeReached([{ ...six, code: "ENETUNREACH" }], direct).verdict).toBe("bad");
  });

  test("is bad if all fail, with their kind of failure", () => {
    expect(judgeReached([six], direct).advice).toContain("firewall");
    expect(judgeReached([{ ...six, code: "ECONNREFUSED" }], direct).advice).toContain("nothing listens");
  });
});

describe("the verdict on a proxy", () => {
  const target = { host: "hub.example", port: 443, proxy: "http://ann:secret@proxy.example:3128/" };

  test("is good if it gives a tunnel", () => {
    expect(judgeTunnel({ kind: "open" }, target, 12)).toMatchObject({ verdict: "good" });
  });

  test.each([
    [{ kind: "refused", status: "407 Proxy Authentication Required" }, "user name and password"],
    [{ kind: "refused", status: "403 Forbidden" }, "NO_PROXY"],
    [{ kind: "none", code: "ECONNRESET" }, "HTTP proxy"],
  ] as const)("is bad for %o, and says what to do without the password", (tunnel, advice) => {
    const finding = judgeTunnel(tunnel, target, 12);
    expect(finding.verdict).toBe("bad");
    expect(finding.measured).toContain("the proxy http://proxy.example:3128");
    expect(finding.advice).toContain(advice);
    expect(JSON.stringify(finding)).not.toContain("secret");
  });
});

test("a clock may be 30 s off in either direction", () => {
  expect(judgeClock(900).measured).toContain("agree");
  expect(judgeClock(-30_000)).toMatchObject({ verdict: "good" });
  expect(judgeClock(30_501)).toMatchObject({ verdict: "warning", measured: expect.stringContaining("31 s ahead") });
  expect(judgeClock(-45_000)).toMatchObject({ verdict: "warning", measured: expect.stringContaining("45 s behind") });
});

test("versions match within a release line; other versions, and a missing one, are a warning", () => {
  expect(judgeVersion("0.1.9", "0.1.0").verdict).toBe("good");
  expect(judgeVersion("1.9.0", "1.2.0").verdict).toBe("good");
  expect(judgeVersion("0.2.0", "0.1.0").verdict).toBe("warning");
  expect(judgeVersion("2.0.0", "1.0.0").verdict).toBe("warning");
  expect(judgeVersion(undefined, "1.0.0").verdict).toBe("warning");
});

describe("the verdict on a stream", () => {
  const sentAt = [0, 300, 600, 900, 1200, 1500];

  test("is good if it arrives as it was sent, at any distance", () => {
    expect(
      judgeStream(
        sentAt,
        sentAt.map((at) => at + 700),
      ).verdict,
    ).toBe("good");
  });

  test("is bad if it arrives all at once or incomplete, and a warning if it arrives in larger parts", () => {
    expect(judgeStream(sentAt, [1510, 1511, 1511, 1512, 1512, 1512]).verdict).toBe("bad");
    expect(judgeStream(sentAt, [10, 700, 701, 1300, 1301, 1510]).verdict).toBe("warning");
    expect(judgeStream(sentAt, [10, 310]).verdict).toBe("bad");
  });

  test("mentions compression on the way", () => {
    expect(judgeStream(sentAt, sentAt, "gzip").measured).toContain("compressed in transit (gzip)");
  });
});

test("a cancel is good within 5 s, a warning later, and bad if it never arrives", () => {
  expect(judgeCancel(5000).verdict).toBe("good");
  expect(judgeCancel(5001).verdict).toBe("warning");
  expect(judgeCancel(undefined).verdict).toBe("bad");
});

test("a long stream is judged by its end, and is bad without any event", () => {
  const seen = { status: 200, chunks: 3, longestMs: 9000, heldMs: 75_000, end: undefined };
  expect(judgeLongStream(seen)).toMatchObject({ verdict: "good", measured: expect.stringContaining("75.0 s") });
  expect(judgeLongStream({ ...seen, chunks: 0 }).verdict).toBe("bad");
  expect(judgeLongStream({ ...seen, end: "ECONNRESET" }).measured).toContain("cut after 75.0 s: ECONNRESET");
  expect(judgeLongStream({ ...seen, status: 404 }).verdict).toBe("bad");
  expect(judgeLongStream({ ...seen, status: 401 })).toMatchObject({
    verdict: "skipped",
    measured: expect.stringContaining("ADMIN_KEY"),
  });
});

describe("the verdict on a slow answer", () => {
  const base = "https://hub.example";
  const reply = (status: number, text = "") =>
    ({ kind: "reply", status, headers: new Headers({ server: "nginx/1.22" }), text, elapsedMs: 60_000 }) as const;
  const own = (code: string): string => JSON.stringify({ error: { code } });

  test("distinguishes a timeout of a proxy from one of the server", () => {
    expect(judgeSlowAnswer(reply(200), 75_000, base).verdict).toBe("good");
    expect(judgeSlowAnswer(reply(504), 75_000, base).measured).toBe(
      "nginx gave up waiting for a response after 60.0 s, with 504",
    );
    expect(judgeSlowAnswer(reply(504, own("upstream_timeout")), 75_000, base).advice).toContain(
      "REQUEST_TIMEOUT_WHOLE on",
    );
  });

  test("is bad if the connection breaks", () => {
    const cut = { kind: "none", code: "ECONNRESET", elapsedMs: 60_000 } as const;
    expect(judgeSlowAnswer(cut, 75_000, base).measured).toContain("cut after 60.0 s: ECONNRESET");
  });
});

describe("the program that answered", () => {
  const spoken = (status: number, text: string, server?: string) => ({
    status,
    text,
    headers: new Headers(server === undefined ? {} : { server }),
  });

  test("is the server only if the error code and its status match", () => {
    const text = JSON.stringify({ error: { code: "draining" } });
    expect(moorageCode(spoken(503, text))).toBe("draining");
    expect(moorageCode(spoken(200, text))).toBeUndefined();
    expect(moorageCode(spoken(503, JSON.stringify({ error: { code: "toString" } })))).toBeUndefined();
    expect(moorageCode(spoken(503, "<html>"))).toBeUndefined();
  });

  test("is named by its header or its error page, if that can only be a name", () => {
    expect(speakerName(spoken(502, "", "nginx/1.22.1"))).toBe("nginx");
    expect(speakerName(spoken(502, "<center>nginx</center>"))).toBe("nginx");
    expect(speakerName(spoken(502, "", "<script>"))).toBe("an unnamed program");
  });
});

test("a refused worker gets the meaning of the close reason for its key", () => {
  const end = (reason: string, code = 1008) => ({ code, reason, registeredMs: undefined, retryAfterMs: undefined });
  const advice = (reason: string, clientKey?: string, code?: number) =>
    judgeRefusal(end(reason, code), { clientKey, ownKey: { kind: "none" } }).advice;
  expect(advice("unauthorized")).toBe("Set CLIENT_KEY to the same value as on the server.");
  expect(advice("unauthorized", "k")).toContain("Compare CLIENT_KEY");
  expect(advice("too many wrong keys", "k")).toContain("find the program");
  expect(advice("unexpected client key", "k")).toContain("leave it out");
  expect(advice("draining", "k", 1013)).toContain("Start another server");
  expect(advice("invalid register: models is missing")).toContain("compare the versions");
});
