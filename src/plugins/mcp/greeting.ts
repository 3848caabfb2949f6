import type { ConnectorDoor } from "../../auth/connector-door.ts";
import { parseJson } from "../../json/parse.ts";
import { CONNECTOR } from "../../plugin/worker-access.ts";
import { type Greeting, type Hello, joinIn } from "../../tunnel/greeting.ts";
import { withLegacyId } from "../../tunnel/legacy-id.ts";
import { UNBOUNDED } from "../../tunnel/session.ts";
import { CLOSES } from "../../wire/closes.ts";
import type { Parsed } from "../../wire/fields.ts";
import { parseRelayHello, type RelayHello } from "../../wire/relay-hello.ts";
import { createLegacyRelayDialect } from "./legacy-relay.ts";

/** How relays introduce themselves: `{id?, client_name?, client_key?, …}`, which is answered with their id. */
export function createRelayGreeting(door: Pick<ConnectorDoor, "isReady">): Greeting {
  return {
    // Callers of other relays send no key of this server, so their tenants are not known.
    knowsTenants: (hostInfo) => hostInfo["auth"] === CONNECTOR,
    parse(text, dialect): Parsed<Hello> {
      const json = parseJson(text);
      const parsed = parseRelayHello(dialect === "legacy" ? withLegacyId(json, "id", "client_name") : json);
      if (!parsed.ok) return parsed;
      // The legacy dialect cannot tell a relay who calls, and without keys nobody could call.
      if (parsed.value.info?.auth === CONNECTOR && (dialect === "legacy" || !door.isReady))
        return { ok: false, close: CLOSES.no_caller_keys };
      return { ok: true, value: toHello(parsed.value) };
    },
    answer: (dialect, registered) =>
      dialect === "native" ? { id: registered.worker_id, ...registered } : { id: registered.worker_id },
    createLegacyDialect: createLegacyRelayDialect,
  };
}

function toHello(hello: RelayHello): Hello {
  const { id, client_name, client_key, previous_client_key, exchange_kinds, info } = hello;
  return {
    clientKey: client_key || undefined,
    previousKey: previous_client_key || undefined,
    ...joinIn(hello),
    workerId: id || undefined,
    name: client_name || undefined,
    version: info?.version ?? undefined,
    hostInfo: {
      ...(info?.upstream ? { upstream: info.upstream } : {}),
      ...(info?.auth ? { auth: info.auth } : {}),
      ...(info?.restricts ? { restricts: "true" } : {}),
    },
    offer: {
      models: [],
      // Relays declare none, and the server's own limits on calls are lower.
      maxConcurrency: UNBOUNDED,
      embeddingBatchSize: undefined,
      ...(exchange_kinds ? { exchangeKinds: exchange_kinds } : {}),
      status: "ready",
      reason: undefined,
    },
  };
}
