import type { BackendTarget } from "./backend.ts";

type Server = Pick<BackendTarget, "base" | "family" | "version">;

interface Askable {
  readonly paths: ReadonlySet<string>;
  /** The first version, as major and minor number; undefined for all. */
  readonly since?: readonly [major: number, minor: number];
}

const CHAT = "/chat/completions";
const COMPLETIONS = "/completions";

/**
 * The servers that may be asked for the usage of a stream whose client did not ask, by family. Their sources show that they
 * then add one event with the usage and no choices, and change no other event:
 *
 * - Ollama, in chats. In completions, each event would get a `usage` full of zeros.
 * - SGLang.
 * - vLLM from 0.7 on; older ones add `"usage": null` to each event. The newest state the `system_fingerprint` in that
 *   event and no longer in the one before it, which no client needs.
 *
 * No other server is asked. llama.cpp need not be: the last event of its streams has its `timings`, which are exact, and they
 * would move. TabbyAPI moves the `finish_reason` into the new event. What LM Studio changes cannot be read anywhere. A
 * server that is not known may refuse the request, or change its events in ways that break a client which never asked.
 */
const ASKABLE: ReadonlyMap<string, Askable> = new Map([
  ["ollama", { paths: new Set([CHAT]) }],
  ["sglang", { paths: new Set([CHAT, COMPLETIONS]) }],
  ["vllm", { paths: new Set([CHAT, COMPLETIONS]), since: [0, 7] }],
]);

/**
 * What is to be done about the usage of a stream: nothing; ask for it, so that the request can be repeated without asking;
 * or ask for it, because the server has taken that before.
 */
export type Asking = "no" | "try" | "yes";

/** Decides which requests ask the model server for the usage of a stream, and remembers whether the server takes that. */
export class UsageAsking {
  /** The server that `#verdict` is about. */
  #server = "";
  #verdict: "untried" | "takes it" | "refuses it" = "untried";

  /** Decides about a request to a path. */
  decide(server: Server, path: string): Asking {
    const askable = ASKABLE.get(server.family ?? "");
    if (!askable?.paths.has(path.replace(/\?.*$/s, ""))) return "no";
    if (askable.since && !isSince(server.version, askable.since)) return "no";
    const verdict = this.#server === nameOf(server) ? this.#verdict : "untried";
    return verdict === "untried" ? "try" : verdict === "takes it" ? "yes" : "no";
  }

  /** Notes how the server has answered a request that asked. */
  note(server: Server, takesIt: boolean): void {
    const name = nameOf(server);
    // An answer that comes late does not lift a refusal.
    if (this.#server === name && this.#verdict === "refuses it") return;
    this.#server = name;
    this.#verdict = takesIt ? "takes it" : "refuses it";
  }
}

function nameOf({ base, family, version }: Server): string {
  return `${base} ${family} ${version}`;
}

/** Whether a version such as `0.7.3` or `v0.10.0rc1` is not before another one. One that cannot be read may be. */
function isSince(version: string | undefined, [major, minor]: readonly [number, number]): boolean {
  const found = /^v?(\d{1,5})\.(\d{1,5})/.exec(version ?? "");
  if (!found) return false;
  const [own, ownMinor] = [Number(found[1]), Number(found[2])];
  return own > major || (own === major && ownMinor >= minor);
}
