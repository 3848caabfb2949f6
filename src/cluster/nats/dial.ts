import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import type { NatsServer } from "../../settings/nats-url.ts";
import { cleanText } from "../../wire/clean-text.ts";

/** How this server signs in to NATS, and its name there. */
export interface DialOptions {
  /** Shown by the tools of NATS. */
  readonly name: string;
  /** The beginning of the subjects on which answers arrive. */
  readonly inboxPrefix: string;
  /** Returns the text of a credentials file, which is read for each connection because it may have been renewed. */
  readonly readCredentials: (() => string) | undefined;
  /** Returns the certificate authority as PEM; undefined to use those of the system. */
  readonly readAuthority: (() => string) | undefined;
}

/** The outcome of an attempt. `isRefused`: the NATS server answers and refuses the credentials. */
export type Dialled =
  | { readonly ok: true; readonly connection: NatsConnection }
  | { readonly ok: false; readonly reason: string; readonly isRefused: boolean };

/** Milliseconds for TCP, TLS and signing in. A nats-server that is frozen accepts a connection and then says nothing. */
const DIAL_TIMEOUT_MS = 3000;
/** A silent server is given up after two to three of these intervals. */
const PING_INTERVAL_MS = 2000;
const MAX_PINGS_OUT = 2;
const MAX_REASON_CHARS = 200;

/** Connects to one NATS server. Never rejects. */
export async function dial(server: NatsServer, options: DialOptions): Promise<Dialled> {
  try {
    return { ok: true, connection: await connect(toConnectionOptions(server, options)) };
  } catch (error) {
    return { ok: false, reason: reasonOf(error), isRefused: error instanceof errors.AuthorizationError };
  }
}

/** Says in a few words why a connection failed or ended. The client's messages contain no credentials. */
export function reasonOf(error: unknown): string {
  if (error instanceof errors.TimeoutError) return "no answer";
  const text = error instanceof Error ? error.message || error.name : "connection closed";
  return cleanText(text).slice(0, MAX_REASON_CHARS);
}

/** Says what an operator can do about a reason of `reasonOf`. */
export function hintFor(reason: string): string {
  if (/authori[sz]ation|authentication/i.test(reason))
    return "set the user and password of the NATS server, or its token, in NATS_URL, or its credentials file in NATS_CREDS";
  if (/tls|certificate/i.test(reason))
    return "use tls:// in NATS_URL if the NATS server has TLS and only then, and set NATS_CA if its certificate has an authority of your own";
  return "check that nats-server runs and that NATS_URL names it";
}

/** Closes a connection at once, and drops its unsent bytes. */
export function discard(connection: NatsConnection): void {
  // The client has no public way to do this. Its version is pinned, and a test freezes a nats-server.
  const { protocol } = connection as NatsConnection & { readonly protocol?: { transport?: { discard?(): void } } };
  protocol?.transport?.discard?.();
  void connection.close().catch(() => {});
}

/** Host and port, as they are logged and shown. */
export function addressOf({ host, port }: Pick<NatsServer, "host" | "port">): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function toConnectionOptions(server: NatsServer, options: DialOptions): ConnectionOptions {
  const authority = options.readAuthority?.();
  const credentials = options.readCredentials?.();
  const { user, password, token } = server;
  return {
    servers: [addressOf(server)],
    name: options.name,
    inboxPrefix: options.inboxPrefix,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    noEcho: true,
    noAsyncTraces: true,
    // The connector dials again by itself. The client would keep everything that is published meanwhile, without a limit, and
    // send only parts of it later.
    reconnect: false,
    ignoreAuthErrorAbort: true,
    ignoreClusterUpdates: true,
    // Without options of its own, the client uses TLS if the server offers it, and accepts a server that does not.
    ...(authority !== undefined ? { tls: { ca: authority } } : server.isTls ? { tls: {} } : {}),
    ...(credentials !== undefined
      ? { authenticator: credsAuthenticator(new TextEncoder().encode(credentials)) }
      : user !== undefined
        ? { authenticator: usernamePasswordAuthenticator(user, password) }
        : token !== undefined
          ? { authenticator: tokenAuthenticator(token) }
          : {}),
  };
}
