import { closeName } from "../wire/closes.ts";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import { closeHint, type LinkEnd } from "../worker/retry.ts";
import { bad, type Check, type Finding, good, skipped, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { moorageCode, speakerName, strangeAnswer } from "./speaker.ts";
import type { Target } from "./target.ts";
import { type ConnectedTo, TemporaryWorker } from "./temporary-worker.ts";
import { askUpgrade, type UpgradeReply } from "./upgrade.ts";

const LIMIT_MS = 30_000;
/** Kinds of worker that register in the same way. */
const KINDS = ["llm", "asr"] as const;

/** Checks whether a WebSocket can be opened, and whether the server accepts a worker with this key on it. */
export function linkChecks(checkup: Checkup): readonly Check[] {
  const { target } = checkup;
  return [
    {
      id: "websocket",
      title: "WebSocket",
      needs: ["health"],
      limitMs: LIMIT_MS,
      async run(signal) {
        for (const kind of KINDS) {
          const reply = await askUpgrade(target, kind, signal);
          if (reply.kind === "none") return noUpgrade(reply.code);
          if (moorageCode(reply) === "unknown_url") continue;
          checkup.kind = kind;
          return judgeUpgrade(reply, kind, target.base);
        }
        return bad(
          "the server accepts neither llm nor asr workers: 404 unknown_url",
          "Switch the plugin on: PLUGINS on the server must name it, or be * or unset.",
        );
      },
    },
    {
      id: "client_key",
      title: "Client key",
      needs: ["websocket"],
      limitMs: LIMIT_MS,
      async run() {
        const worker = await checkup.worker();
        if (worker instanceof TemporaryWorker) return admitted(target, checkup.server);
        return judgeRefusal(worker, target);
      },
    },
  ];
}

export function judgeUpgrade(reply: UpgradeReply, kind: string, base: string): Finding {
  const { status, isAccepted, protocol, elapsedMs } = reply;
  if (status === 101) {
    if (!isAccepted)
      return bad("responds with 101 without the right key", "Something in between answers upgrades itself. Remove it.");
    if (protocol !== NATIVE_PROTOCOL)
      return bad(
        "a WebSocket opens, but without the subprotocol",
        "Make the proxy pass Sec-WebSocket-Protocol in both directions, and check that a Moorage server responds.",
      );
    if (kind === "llm") return good(`upgrades pass (${elapsedMs} ms)`);
    return warning(
      `upgrades pass for ${kind}; the server accepts no llm workers`,
      "To serve language models, add llm to PLUGINS. The checks that need jobs are skipped.",
    );
  }
  const code = moorageCode(reply);
  if (code === "upgrade_required")
    return bad(
      "a proxy drops the upgrade: the server saw a plain request (426)",
      'Let it pass Upgrade and Connection on with HTTP/1.1. nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade".',
    );
  if (code === "invalid_request")
    return bad("the subprotocol was changed in transit (400)", "Make the proxy pass Sec-WebSocket-Protocol unchanged.");
  if (code === undefined && (status === 200 || status === 400 || status === 404 || status === 426))
    return bad(
      `no WebSocket: ${status} from ${speakerName(reply)}`,
      `Something in front of the server answers /api/${kind}/connect itself. Make it pass on this path and WebSocket upgrades.`,
    );
  return strangeAnswer(reply, base);
}

function noUpgrade(code: string): Finding {
  if (code === "TimeoutError")
    return bad(
      "no response to an upgrade, although ordinary requests get one",
      "Something in between holds WebSockets back. Enable them in the proxy, or allow them in the firewall.",
    );
  return bad(
    `the connection broke off at an upgrade: ${code}`,
    "Something in between cuts WebSockets. Enable them in the proxy, or allow them in the firewall.",
  );
}

function admitted({ clientKey, isLoopback }: Target, server: ConnectedTo | undefined): Finding {
  const by = server?.id === undefined ? "" : ` by server ${server.id} (${server.version ?? "version unknown"})`;
  if (clientKey !== undefined) return good(`a worker with this key is accepted${by}`);
  if (isLoopback) return good(`a worker without a key is accepted${by}`);
  return warning(
    `a worker without a key is accepted${by}: anyone may connect one`,
    "Set CLIENT_KEY on the server and for its workers.",
  );
}

/** What the end of a link that was never registered means. */
export function judgeRefusal(end: LinkEnd, { clientKey, ownKey }: Pick<Target, "clientKey" | "ownKey">): Finding {
  switch (closeName(end)) {
    case "unauthorized":
      if (ownKey.kind === "kept") return disowned();
      if (clientKey === undefined && ownKey.kind === "token") return notJoined();
      return unauthorized(clientKey);
    case "too_many_wrong_keys":
      return bad(
        "refused: the key is not one of the server's, and this address has sent many other wrong keys",
        "Compare CLIENT_KEY here and on the server, and find the program that keeps sending wrong keys.",
      );
    case "unexpected_client_key":
      return bad(
        "refused: a key is given, and the server has none",
        "Set CLIENT_KEY on the server, or leave it out here: a server without a key accepts no worker that sends one.",
      );
    case "key_not_confirmed":
      return bad(
        "refused for now: the server does not know whether the key is valid, because it cannot reach NATS",
        "Check that NATS runs and that the server reaches it; its dashboard and log say what is wrong.",
      );
    case "draining":
      return bad("refused: the server is shutting down", "Start another server in its place.");
    default: {
      const hint = closeHint(end) ?? "Check the logs of the server and the proxy";
      return bad(`the link ended before it was registered: ${end.reason.slice(0, 120)} (${end.code})`, `${hint}.`);
    }
  }
}

function disowned(): Finding {
  return bad(
    "refused: the server does not accept the key that this worker has got for a join token",
    "An operator has revoked it, or the server has lost its data. Ask for a join token, and start the worker with it as --join.",
  );
}

function notJoined(): Finding {
  return skipped(
    "not measured: the worker gets its key when it registers for the first time, and trying the token would use it",
    "Start the worker, then run the doctor again.",
  );
}

function unauthorized(clientKey: string | undefined): Finding {
  if (clientKey === undefined)
    return bad(
      "refused: the server requires a key, and none is given",
      "Set CLIENT_KEY to the same value as on the server.",
    );
  return bad(
    "refused: the key is not one of the server's",
    "Compare CLIENT_KEY here and on the server, in a cluster on every server. It is not the same as API_KEY.",
  );
}
