import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  isJSONRPCErrorResponse,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { VERSION } from "../../../system/version.ts";
import type { OpenPeer } from "./peer.ts";
import { RPC } from "./rpc-error.ts";

/** The first revision without sessions; revisions are dates, which sort as text. */
export const FIRST_STATELESS = "2026-07-28";
/** Returns whether a revision has no sessions. */
export function isStateless(version: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(version) && version >= FIRST_STATELESS;
}

/** How long a server may take to start and to answer. A slower one is asked again later. */
const PROBE_MS = 20_000;
/** The pause after an unclear answer: long enough not to start a broken program for each request. */
const ASK_AGAIN_MS = 60_000;

/**
 * The ends of a program that did not start. Shells use the codes 126 and 127; a server that dislikes the question uses
 * others.
 */
const CANNOT_START = /^it could not be started|^it ended with code 12[67]$/;

const DISCOVER: JSONRPCRequest = {
  jsonrpc: "2.0",
  id: "era",
  method: "server/discover",
  params: {
    _meta: {
      [PROTOCOL_VERSION_META_KEY]: FIRST_STATELESS,
      [CLIENT_INFO_META_KEY]: { name: "moorage", version: VERSION },
      [CLIENT_CAPABILITIES_META_KEY]: {},
    },
  },
};

/** Which stateless revisions an MCP server speaks. */
export interface Era {
  /** Resolves with the revisions; with none for a server that knows only sessions or did not answer clearly. */
  versions(): Promise<readonly string[]>;
  /** Why the server could not even be started when it was asked; undefined if it could. */
  readonly startFailure: string | undefined;
  close(): Promise<void>;
}

/**
 * Finds out which stateless revisions an MCP server speaks. The server is asked once, through a peer of its own: a server
 * that knows only sessions may exit because of the question.
 */
export class EraProbe implements Era {
  readonly #openPeer: OpenPeer;
  readonly #clock: Clock;
  #known: Promise<readonly string[]> | undefined;
  /** `Clock.elapsed` at which the known answer expires. */
  #knownUntil = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | undefined;
  #giveUp: () => void = () => {};
  #startFailure: string | undefined;

  constructor(openPeer: OpenPeer, clock: Clock) {
    this.#openPeer = openPeer;
    this.#clock = clock;
  }

  versions(): Promise<readonly string[]> {
    if (this.#clock.elapsed() >= this.#knownUntil) this.#known = undefined;
    this.#known ??= this.#ask();
    return this.#known;
  }

  get startFailure(): string | undefined {
    return this.#startFailure;
  }

  async close(): Promise<void> {
    this.#giveUp();
    await this.#known;
    await this.#closing;
  }

  async #ask(): Promise<readonly string[]> {
    this.#knownUntil = Number.POSITIVE_INFINITY;
    this.#startFailure = undefined;
    const answer = Promise.withResolvers<JSONRPCMessage | undefined>();
    const cancelTimer = this.#clock.after(PROBE_MS, () => answer.resolve(undefined));
    this.#giveUp = () => answer.resolve(undefined);
    const peer = this.#openPeer({
      onMessage: (message) => {
        if (isJSONRPCResponse(message) && message.id === DISCOVER.id) answer.resolve(message);
      },
      onExit: (reason) => {
        if (CANNOT_START.test(reason)) this.#startFailure = reason;
        answer.resolve(undefined);
      },
    });
    peer.send(DISCOVER);
    const said = await answer.promise;
    cancelTimer();
    this.#closing = peer.close();
    if (said === undefined) this.#knownUntil = this.#clock.elapsed() + ASK_AGAIN_MS;
    return statelessVersions(said);
  }
}

/** Reads the stateless versions in an answer to `server/discover`. */
export function statelessVersions(answer: unknown): readonly string[] {
  const versions = isJSONRPCErrorResponse(answer)
    ? answer.error.code === RPC.unsupportedVersion && field(answer.error.data, "supported")
    : field(field(answer, "result"), "supportedVersions");
  if (!Array.isArray(versions)) return [];
  return versions.filter((version) => typeof version === "string" && isStateless(version));
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined; // just looked
}
