import { type Auth, createAuth } from "../../src/auth/auth.ts";
import type { AuthSurface, Caller } from "../../src/auth/caller.ts";
import type { KeySources } from "../../src/auth/keys.ts";
import type { StateAccess } from "../../src/auth/operator-door.ts";
import type { WorkerAdmission } from "../../src/auth/worker-door.ts";
import type { Visit } from "../../src/http/visit.ts";
import type { ConnectorTokens } from "../../src/oauth/connector.ts";
import type { Clock } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { type Config, defaultConfig } from "./default-config.ts";

/** The address at the other end of a test's connection. */
export type Address = () => string | undefined;

/** Creates the doors of a server that trusts proxies in 10.0.0.0/8 and allows three wrong keys a minute. */
export function doorsOf(
  overrides: Partial<Config>,
  clock: Clock,
  more: {
    readonly keys?: KeySources;
    readonly made?: KeySources;
    readonly connectorTokens?: () => ConnectorTokens;
    readonly onFailure?: (surface: AuthSurface) => void;
  } = {},
): Auth {
  const config = defaultConfig({ trustedProxies: ["10.0.0.0/8"], authFailuresPerMinute: 3, ...overrides });
  const idleTimeouts = { liftIdleTimeout() {}, restoreIdleTimeout() {} };
  return createAuth(config, { clock, ids: systemIds, log: silentLog }, { idleTimeouts, ...more });
}

export function visit(request: Request, address: Address): Visit {
  return { request, requestId: "req_test", address };
}

export function askApi(auth: Auth, request: Request, address: Address): Caller {
  return auth.ask(visit(request, address), "api");
}

export function askTransfer(auth: Auth, request: Request, address: Address): Caller {
  return auth.ask(visit(request, address), "transfer");
}

export function readState(auth: Auth, request: Request, address: Address): StateAccess {
  return auth.operators.read(visit(request, address));
}

export function act(auth: Auth, request: Request, address: Address): Caller {
  return auth.operators.act(visit(request, address));
}

export function issueTryToken(auth: Auth, request: Request, address: Address): string | undefined {
  return auth.operators.issueTryToken(visit(request, address))?.token;
}

export function signIn(auth: Auth, request: Request, address: Address, key: string): string {
  return auth.signIns.begin(visit(request, address), key);
}

export function signOut(auth: Auth, request: Request, address: Address): string {
  return auth.signIns.end(visit(request, address));
}

/** Judges a worker by its upgrade request and the key in its register message. */
export function admit(auth: Auth, request: Request, address: Address, clientKey?: string): WorkerAdmission {
  return auth.workers.admit(auth.workers.readCredentials(visit(request, address)), { clientKey });
}
