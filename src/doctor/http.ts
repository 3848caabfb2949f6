import { isRecord, parseJson } from "../json/parse.ts";
import { bad, type Check, type Finding, good, skipped, warning } from "./check.ts";
import { probe, type Reply } from "./http-probe.ts";
import { strangeAnswer } from "./speaker.ts";
import type { Target } from "./target.ts";

/** The largest harmless clock skew; beyond it sign-ins, certificates and times in logs go wrong. */
const CLOCK_LIMIT_MS = 30_000;
const LIMIT_MS = 15_000;
/** Room for the API description, which has some hundred kilobytes. */
const MAX_DESCRIPTION_BYTES = 8 * 1024 * 1024;

/** Checks whether a Moorage server answers, accepts work, has a matching version and the right time. */
export function httpChecks(target: Target, ownVersion: string): readonly Check[] {
  return [
    {
      id: "health",
      title: "Health",
      needs: ["tls"],
      limitMs: LIMIT_MS,
      async run(signal) {
        const reply = await probe(`${target.base}/healthz`, { signal, proxy: target.proxy });
        if (reply.kind === "none") return silent(reply.code);
        return judgeHealth(reply, target.base);
      },
    },
    {
      id: "version",
      title: "Version",
      needs: ["health"],
      limitMs: LIMIT_MS,
      async run(signal) {
        const url = `${target.base}/api/client/openapi.json`;
        const reply = await probe(url, { signal, proxy: target.proxy, maxBytes: MAX_DESCRIPTION_BYTES });
        return judgeVersion(reply.kind === "reply" ? versionIn(reply.text) : undefined, ownVersion);
      },
    },
    {
      id: "clock",
      title: "Clock",
      needs: ["health"],
      limitMs: LIMIT_MS,
      async run(signal) {
        const startedAt = Date.now();
        const reply = await probe(`${target.base}/healthz`, { signal, proxy: target.proxy });
        const date = reply.kind === "reply" ? Date.parse(reply.headers.get("date") ?? "") : Number.NaN;
        if (Number.isNaN(date)) return skipped("responses have no Date header");
        // The header has whole seconds, so it is half a second behind on average.
        return judgeClock(date + 500 - (startedAt + Date.now()) / 2);
      },
    },
  ];
}

export function judgeHealth(reply: Pick<Reply, "status" | "headers" | "text" | "elapsedMs">, base: string): Finding {
  const json = parseJson(reply.text);
  const status = isRecord(json) ? json["status"] : undefined;
  if (reply.status === 200 && status === "ok") return good(`up, and accepting work (${reply.elapsedMs} ms)`);
  if (reply.status === 503 && status === "draining")
    return bad(
      "the server is shutting down (draining)",
      "It accepts no new work. If no other takes its place within a few minutes, start one.",
    );
  return strangeAnswer(reply, base);
}

export function judgeVersion(server: string | undefined, own: string): Finding {
  if (server === undefined)
    return warning(
      "the server's version is unknown",
      "GET /api/client/openapi.json should contain it. Check that the proxy passes all paths to the server.",
    );
  const measured = server === own ? `server and worker are ${own}` : `server ${server}, worker ${own}`;
  if (isSameLine(server, own)) return good(measured);
  return warning(measured, "Bring both to the same version, the newer one.");
}

/** Judges by how many milliseconds the server's clock is ahead of this machine's. */
export function judgeClock(skewMs: number): Finding {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (seconds <= 1) return good("the server's and this machine's clocks agree to the second");
  const measured = `the server's is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} this machine's`;
  if (Math.abs(skewMs) <= CLOCK_LIMIT_MS) return good(measured);
  return warning(measured, "Synchronise both by NTP (timedatectl, chrony): certificates and logs depend on the time.");
}

function silent(code: string): Finding {
  if (code === "TimeoutError")
    return bad(
      "no response in time",
      "Connections are accepted, but nothing responds. Check whether the server hangs or is overloaded.",
    );
  return bad(`the connection broke off: ${code}`, "Check the log of the proxy, or of the server if there is no proxy.");
}

function versionIn(text: string): string | undefined {
  const json = parseJson(text);
  const info = isRecord(json) ? json["info"] : undefined;
  const version = isRecord(info) ? info["version"] : undefined;
  return typeof version === "string" && /^\d+\.\d+\.\d+[\w.+-]{0,40}$/.test(version) ? version : undefined;
}

/** Returns whether two versions are compatible. Below 1.0 the second number marks breaking changes (semver.org §4). */
function isSameLine(one: string, other: string): boolean {
  const line = (version: string): string => {
    const [major, minor] = version.split(".");
    return major === "0" ? `0.${minor}` : `${major}`;
  };
  return line(one) === line(other);
}
