import { isRecord, parseJson } from "../json/parse.ts";
import { bad, type Check, type Finding, good, skipped, warning } from "./check.ts";
import { type NoReply, probe, type Reply } from "./http-probe.ts";
import { moorageCode, strangeAnswer } from "./speaker.ts";
import type { Target } from "./target.ts";

/** Checks whether clients need a key, and whether this one is right. Later checks send jobs only if so. */
export function apiKeyCheck(target: Target): Check {
  return {
    id: "api_key",
    title: "API key",
    needs: ["health"],
    limitMs: 25_000,
    async run(signal) {
      const url = `${target.base}/v1/models`;
      // The first request has no key. It shows whether one is needed, and a missing key does not count as a wrong one.
      const without = await probe(url, { signal, proxy: target.proxy });
      const { apiKey } = target;
      const withKey =
        apiKey !== undefined && isAsked(without)
          ? await probe(url, { signal, proxy: target.proxy, key: apiKey })
          : undefined;
      return judgeApiKey(without, withKey, target);
    },
  };
}

/** Judges the answers. `withKey` is set if a key was needed and given. */
export function judgeApiKey(
  without: Reply | NoReply,
  withKey: Reply | NoReply | undefined,
  { base, isLoopback }: Pick<Target, "base" | "isLoopback">,
): Finding {
  if (without.kind === "none") return noAnswer(without.code);
  if (isList(without)) {
    if (isLoopback) return good("clients need no key");
    return warning("clients need no key: anyone may use the models", "Set API_KEY on the server and for its clients.");
  }
  if (!isAsked(without)) return strangeAnswer(without, base);
  if (withKey === undefined)
    return skipped(
      "the server requires one, and none is given here",
      "Set API_KEY to check streaming, cancelling, sizes and long responses as well.",
    );
  if (withKey.kind === "none") return noAnswer(withKey.code);
  if (isList(withKey)) return good("the key is right, and requests without one are refused");
  if (moorageCode(withKey) === "invalid_api_key")
    return bad(
      "the key is not one of the server's",
      "Compare API_KEY here and on the server. It is not the same as CLIENT_KEY.",
    );
  return strangeAnswer(withKey, base);
}

function isAsked(reply: Reply | NoReply): boolean {
  return reply.kind === "reply" && moorageCode(reply) === "invalid_api_key";
}

function isList(reply: Reply): boolean {
  const json = parseJson(reply.text);
  // A long list is cut, and then is not JSON any more.
  return (
    reply.status === 200 && (isRecord(json) ? json["object"] === "list" : reply.text.startsWith('{"object":"list"'))
  );
}

function noAnswer(code: string): Finding {
  return bad(
    `/v1/models does not respond: ${code}`,
    "Check the log of the proxy, or of the server if there is no proxy.",
  );
}
