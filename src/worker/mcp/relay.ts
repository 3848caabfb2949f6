import type { Backend } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import { isWeakKey } from "../../system/key-strength.ts";
import { VERSION } from "../../system/version.ts";
import { RULE_LISTS } from "../../wire/mcp-call.ts";
import type { WorkerSettings } from "../args.ts";
import { Dialer } from "../dialer.ts";
import { createLoadSampler } from "../host.ts";
import type { LinkKeys } from "../link-keys.ts";
import type { ProxyChoice } from "../outgoing-proxy.ts";
import type { OwnId } from "../own-id.ts";
import { RETRY_LIMITS, type RetryLimits } from "../retry.ts";
import { httpUrl } from "../server-url.ts";
import { weakCallers } from "./callers-field.ts";
import { endpointOnly } from "./endpoint-only.ts";
import { letInOnly } from "./let-in.ts";
import type { Access, McpServer, McpSource } from "./mcp-server.ts";
import type { Served } from "./open-servers.ts";
import { ReachWatch } from "./reach-check.ts";
import { reachText } from "./reach-text.ts";
import { restricted } from "./restricted.ts";
import { AUTO_LISTED, withToolSearch } from "./search/tool-search.ts";

export interface RelayOptions {
  readonly print: (text: string) => void;
  readonly random: () => number;
  readonly retry?: RetryLimits | undefined;
  readonly proxyFor: ProxyChoice;
  /** Returns the keys of a worker that joins or has joined; absent or undefined: those of the settings. */
  readonly keys?: () => LinkKeys | undefined;
  /** The id of a relay for which the operator chose none. Absent: the server makes one. */
  readonly ownId?: OwnId | undefined;
  /** See `DialerOptions`. */
  readonly onServerVersion?: ((version: string | undefined) => void) | undefined;
}

/** The limit of calls at once: far above the server's own limit per relay. */
const MAX_CALLS = 10_000;
/** How long a call may remain unanswered unless the server names a limit. */
const SILENCE_MS = 30 * 60_000;

/** Serves one MCP server through the public server until stopped. Who opened it closes it afterwards. */
export function serveRelay(
  server: McpServer,
  { upstream, health }: Served,
  settings: WorkerSettings,
  deps: Deps,
  { print, random, retry = RETRY_LIMITS, proxyFor, keys, ownId, onServerVersion }: RelayOptions,
): { readonly registered: Promise<string>; stop(): Promise<void> } {
  const { name, id, isIdMade = false, source, access } = server;
  const registered = Promise.withResolvers<string>();
  // A server behind a proxy may not be reachable, or not even have a known address, from here.
  const isDirect = source.kind === "url" && proxyFor(source.url) === false;
  const reach = isDirect ? new ReachWatch({ url: source.url, health, deps }) : undefined;
  // Servers without relays of their own have no other place for their warnings.
  const silent = source.kind === "hub" && source.isOnly ? source.servers : [];
  for (const each of [server, ...silent]) {
    const log = each === server ? deps.log : deps.log.with({ server: each.key ?? each.name });
    warnAboutUnused(each, log);
    tellOfRules(each, log);
  }
  warnAboutWeakTokens(access, deps.log);
  const served = searchable(source, restricted(server, upstream, { deps }), deps);
  let isPrinted = false;
  const dialer: Dialer = new Dialer({
    kind: "mcp",
    settings: { ...settings, id },
    keys: keys?.(),
    ownId,
    slots: () => MAX_CALLS,
    introduction: {
      first(known) {
        health.begin();
        const upstreamKind = kindOf(server);
        const info = {
          version: VERSION,
          auth: toldAccess(access),
          restricts: true,
          ...(upstreamKind === undefined ? {} : { upstream: upstreamKind }),
        };
        return { id: known, client_name: name, info };
      },
      update: () => health.update(),
    },
    backend: endpointOnly(access.kind === "connector" ? letInOnly(served) : served),
    requestTimeoutMs: settings.requestTimeoutMs ?? SILENCE_MS,
    onUnreachable: () => reach?.look(),
    load: createLoadSampler(),
    deps,
    random,
    retry,
    proxyFor,
    onServerVersion,
    onRegistered: (given) => {
      registered.resolve(given);
      if (isPrinted) return;
      isPrinted = true;
      const url = `${httpUrl(settings.server)}/api/mcp/id/${given}/mcp`;
      print(reachText({ name: isIdMade ? name : (id ?? name), what: toWhat(source), url, access: toldAccess(access) }));
      reach?.look();
    },
  });
  health.tell(() => dialer.announce());
  dialer.start();
  return {
    registered: registered.promise,
    async stop() {
      reach?.stop();
      await dialer.stop();
    },
  };
}

/** Tells the owner which fields of a client's file have no effect. */
function warnAboutUnused({ unused }: McpServer, log: Deps["log"]): void {
  if (unused === undefined) return;
  log.warn("fields.ignored", { fields: unused.ignored.join(", "), hint: "these fields mean nothing to a relay" });
}

/** Tells the owner which lists of the servers file restrict callers. */
function tellOfRules({ rules }: McpServer, log: Deps["log"]): void {
  if (rules === undefined) return;
  const lists = RULE_LISTS.filter((list) => rules.some((each) => each[list] !== undefined)).join(", ");
  log.info("relay.restricted", { lists, hint: "callers can use only what these lists of the servers file allow" });
}

function warnAboutWeakTokens(access: Access, log: Deps["log"]): void {
  const hint = "a token of fewer than 128 bits can be guessed: make one with `openssl rand -hex 16`";
  if (access.kind === "token" && isWeakKey(access.token)) log.warn("relay.weak_token", { hint });
  const weak = access.kind === "callers" ? weakCallers(access.callers) : [];
  if (weak.length > 0) log.warn("relay.weak_token", { callers: weak.join(", "), hint });
}

/** What the server is told about who may call. It does not matter there how many tokens there are. */
function toldAccess({ kind }: Access): Exclude<Access["kind"], "callers"> {
  return kind === "callers" ? "token" : kind;
}

/** Returns how the MCP server is spoken to; undefined for several servers behind one URL. */
function kindOf({ source }: McpServer): "http" | "sse" | "stdio" | undefined {
  if (source.kind === "hub") return undefined;
  if (source.kind === "command") return "stdio";
  return source.transport === "sse" ? "sse" : "http";
}

/** Describes the MCP server for people. */
function toWhat(source: McpSource): string {
  if (source.kind === "url") return source.url;
  if (source.kind === "hub") return `all of ${source.servers.map(({ key, name }) => key ?? name).join(", ")}`;
  return `\`${[source.command, ...(source.args ?? [])].join(" ")}\``;
}

/** Puts a search in front of many tools, if the owner wants that. */
function searchable(source: McpSource, backend: Backend, { ids }: Deps): Backend {
  if (source.kind !== "hub" || source.toolSearch === "false") return backend;
  return withToolSearch(backend, { mostListed: source.toolSearch === "auto" ? AUTO_LISTED : 0, ids });
}
