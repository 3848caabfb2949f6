import { list, parsed, parseHost } from "./kinds.ts";
import type { Kind } from "./setting.ts";

/** One NATS server, with the credentials in its URL. */
export interface NatsServer {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** The URL begins with `tls://`, so a connection without TLS is refused. */
  readonly isTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The text before the `@`, if it has no colon. */
  readonly token: string | undefined;
}

const DEFAULT_PORT = 4222;

/** URLs of NATS servers, as NATS writes them: `nats://user:password@host:4222`. Several are nodes of one NATS cluster. */
export const natsUrls: Kind<readonly NatsServer[]> = list(parsed(parseNatsUrl), {
  placeholder: "url,…",
  accepts: "URLs of NATS servers, comma separated",
  hint: "such as nats://user:password@nats:4222 or tls://nats.example.com; %2C stands for a comma in a password",
});

/** Parses one URL; undefined for any other text. */
export function parseNatsUrl(text: string): NatsServer | undefined {
  const written = text.includes("://") ? text : `nats://${text}`;
  const [, scheme = "", userInfo, place = ""] = /^([a-z]+):\/\/(?:(.*)@)?([^@/?#]+)\/?$/i.exec(written) ?? [];
  const isTls = scheme.toLowerCase() === "tls";
  if (!isTls && scheme.toLowerCase() !== "nats") return undefined;
  const [, name = "", digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(place) ?? [];
  const host = parseHost(name);
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  const credentials = parseUserInfo(userInfo);
  return credentials && { host, port, isTls, ...credentials };
}

function parseUserInfo(text = ""): Pick<NatsServer, "user" | "password" | "token"> | undefined {
  const none = { user: undefined, password: undefined, token: undefined };
  if (text === "") return none;
  try {
    const cut = text.indexOf(":");
    if (cut < 0) return { ...none, token: decodeURIComponent(text) };
    return {
      ...none,
      user: decodeURIComponent(text.slice(0, cut)),
      password: decodeURIComponent(text.slice(cut + 1)),
    };
  } catch {
    return undefined; // a percent sign that does not begin an escape
  }
}
