import { connect } from "node:tls";
import { errorCode } from "../worker/backend.ts";
import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Target } from "./target.ts";
import { openWay } from "./tunnel.ts";

/** The results of a TLS handshake. */
export interface TlsFacts {
  /** Why this machine does not trust the certificate; undefined if it does. */
  readonly distrust: string | undefined;
  readonly protocol: string;
  /** The end of the certificate's validity, in milliseconds since 1970; undefined if it could not be read. */
  readonly endsAt: number | undefined;
  readonly issuer: string;
}

const HANDSHAKE_MS = 10_000;
const DAY_MS = 24 * 60 * 60_000;
/** Time enough to fix a renewal that has stopped working; Let's Encrypt's renewals begin 30 days before the end. */
const SOON_DAYS = 14;

/** Checks whether the connection is encrypted, and whether this machine trusts the server's certificate. */
export function tlsCheck(target: Target): Check {
  return {
    id: "tls",
    title: "TLS",
    needs: ["tcp"],
    limitMs: HANDSHAKE_MS,
    async run(signal) {
      if (!target.isTls) return judgePlain(target);
      try {
        return judgeTls(await shakeHands(target, signal), target.host, Date.now());
      } catch (error) {
        return noHandshake(errorCode(error), target);
      }
    },
  };
}

/** Judges a handshake; `now` is in milliseconds since 1970. */
export function judgeTls({ distrust, protocol, endsAt, issuer }: TlsFacts, host: string, now: number): Finding {
  const days = endsAt === undefined ? undefined : Math.floor((endsAt - now) / DAY_MS);
  const lasts =
    days === undefined
      ? ""
      : days < 0
        ? `, expired ${-days} days ago`
        : `, valid for ${days} more ${days === 1 ? "day" : "days"}`;
  const measured = `${protocol}, certificate of ${issuer}${lasts}`;
  if (distrust !== undefined) return bad(`${measured}: ${distrust}`, distrustAdvice(distrust, host));
  if (days !== undefined && days < SOON_DAYS)
    return warning(measured, "The certificate expires soon. Check why it has not been renewed yet.");
  return good(measured);
}

function judgePlain({ isLoopback, host, port }: Target): Finding {
  if (isLoopback) return good("plain HTTP, within this machine");
  return warning(
    "plain HTTP: keys and prompts can be read in transit",
    `Put TLS in front of the server, and give workers https://${host.includes(":") ? `[${host}]` : host}${port === 80 ? "" : " and its port"}.`,
  );
}

function distrustAdvice(code: string, host: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return "Renew the certificate, and check why automatic renewal stopped.";
    case "CERT_NOT_YET_VALID":
      return "Check this machine's clock, and the first day of the certificate.";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `The certificate is for other names. Get one for ${host}, or use one of its names.`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
      return "The certificate is self-signed. Get one from a public authority (Caddy does this by itself), or start workers and clients with NODE_EXTRA_CA_CERTS set to a file with the issuer's certificate.";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "The chain is incomplete. Give the proxy the file with the intermediate certificates (fullchain.pem).";
    default:
      return "Get a certificate that this machine trusts.";
  }
}

function noHandshake(code: string, { port }: Target): Finding {
  if (/WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/.test(code))
    return bad(
      `port ${port} does not speak TLS (${code})`,
      "Give the port that does, or write http:// if TLS is not intended.",
    );
  return bad(
    `no handshake: ${code}`,
    "Check the proxy's certificate and its log: it closes the connection before the handshake is complete.",
  );
}

async function shakeHands(target: Target, signal: AbortSignal): Promise<TlsFacts> {
  const { host, port, isAddress } = target;
  const way = await openWay(target, signal);
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...(way === undefined ? { host, port } : { socket: way }),
      // An IP address is not a valid server name (RFC 6066 §3).
      ...(isAddress ? {} : { servername: host }),
      ALPNProtocols: ["http/1.1"],
      // An untrusted certificate is to be described, not to fail the check; nothing is sent over this connection.
      rejectUnauthorized: false,
    });
    const stop = (): void => {
      socket.destroy();
      reject(new DOMException("no handshake in time", "TimeoutError"));
    };
    signal.addEventListener("abort", stop);
    socket.once("error", reject);
    socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", stop);
      const certificate = socket.getPeerCertificate();
      const endsAt = Date.parse(certificate.valid_to);
      const { O: organization, CN: name } = certificate.issuer ?? {};
      resolve({
        // Bun gives the code as text; its type says Error.
        distrust: socket.authorized ? undefined : codeOf(socket.authorizationError),
        protocol: socket.getProtocol() ?? "TLS",
        endsAt: Number.isNaN(endsAt) ? undefined : endsAt,
        issuer: String(organization ?? name ?? "an unnamed issuer").slice(0, 80),
      });
      socket.destroy();
    });
  });
}

function codeOf(error: unknown): string {
  const code = error instanceof Error ? errorCode(error) : String(error);
  return /^[A-Z_]{3,60}$/.test(code) ? code : "not trusted";
}
