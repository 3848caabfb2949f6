import { BlockList, isIP } from "node:net";
import { CREDENTIAL_HEADERS } from "../system/credential-headers.ts";
import { list, listOrNone, parsed, parseHost } from "./kinds.ts";
import type { Kind } from "./setting.ts";

/** A listening address; undefined for the host means the host of the public listener. */
export interface Listener {
  readonly host: string | undefined;
  readonly port: number;
}

export const port: Kind<number> = {
  schema: parsed(parsePort),
  placeholder: "port",
  accepts: "a port from 0 to 65535, 0 for any free one",
  isNumeric: true,
};

/** `9090`, `:9090`, `127.0.0.1:9090` or `[::1]:9090`. */
export const listener: Kind<Listener> = {
  schema: parsed(parseListener),
  placeholder: "port|host:port",
  accepts: "a port, or an address with a port such as 127.0.0.1:9090 or [::1]:9090",
  isNumeric: true,
};

/** `10.0.0.7:8088`, `server-2.internal:8088` or `[fd00::7]:8088`. */
export const peerAddress: Kind<{ readonly host: string; readonly port: number }> = {
  schema: parsed((text) => {
    const { host, port } = parseListener(text) ?? {};
    return host !== undefined && port !== undefined && port > 0 ? { host, port } : undefined;
  }),
  placeholder: "host:port",
  accepts: "a host name or address with a port, such as 10.0.0.7:8088 or [fd00::7]:8088",
};

/** Addresses and CIDR ranges that `net.BlockList` understands. */
export const addressRanges: Kind<readonly string[]> = listOrNone(
  list(parsed(parseRange), {
    placeholder: "range,…",
    accepts: "IP addresses and CIDR ranges, comma separated",
    hint: "such as 10.0.0.0/8,192.0.2.7,fd00::/8",
  }),
);

/** Origins as browsers send them: no path, no default port, lower case; or `*`. */
export const origins: Kind<readonly string[]> = list(parsed(parseOrigin), {
  placeholder: "origin,…",
  accepts: "origins, comma separated, or * for any",
  hint: "such as https://app.example.com,http://localhost:3000, without a path",
});

/** One origin of a web server: the part of its URLs before the path. */
export const origin: Kind<string> = {
  schema: parsed((text) => {
    const found = parseOrigin(text);
    return found !== undefined && /^https?:/.test(found) ? found : undefined;
  }),
  placeholder: "url",
  accepts: "an http or https URL without a path",
  hint: "such as https://moorage.example.com",
};

/** Names as a Host header has them, without ports; or `*`. */
export const hostNames: Kind<readonly string[]> = list(
  parsed((text) => (text === "*" ? text : parseHost(text)?.toLowerCase())),
  {
    placeholder: "name,…",
    accepts: "host names and IP addresses without ports, comma separated, or * for any",
  },
);

/** Names of HTTP headers that carry no credentials, in lower case. */
export const headerNames: Kind<readonly string[]> = listOrNone(
  list(parsed(parseHeader), {
    placeholder: "name,…",
    accepts: "names of headers that carry no key and no sign-in, comma separated",
  }),
);

/** A token (RFC 9110 §5.6.2). Longer names are mistakes. */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

function parseHeader(text: string): string | undefined {
  const name = text.toLowerCase();
  return HEADER_NAME.test(text) && !CREDENTIAL_HEADERS.has(name) ? name : undefined;
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function parseListener(text: string): Listener | undefined {
  const cut = text.lastIndexOf(":");
  const number = parsePort(text.slice(cut + 1));
  if (number === undefined) return undefined;
  if (cut <= 0) return { host: undefined, port: number };
  const written = text.slice(0, cut);
  // An IPv6 address needs brackets, or its last group could be read as the port.
  const name = written.includes(":") && !written.startsWith("[") ? undefined : parseHost(written);
  return name === undefined ? undefined : { host: name, port: number };
}

function parseRange(text: string): string | undefined {
  const [address = "", prefix, ...more] = text.split("/");
  const family = isIP(address);
  // A zone id (fe80::1%eth0) names an interface of one machine, and BlockList cannot match it.
  if (family === 0 || address.includes("%") || more.length > 0) return undefined;
  if (prefix === undefined) return text;
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return undefined;
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? "ipv4" : "ipv6");
    return text;
  } catch {
    return undefined; // refused here, because BlockList would refuse it later
  }
}

function parseOrigin(text: string): string | undefined {
  if (text === "*") return text;
  const bare = text.toLowerCase().replace(/\/$/, "");
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*\\]+$/.test(bare) || !URL.canParse(bare)) return undefined;
  const { origin } = new URL(bare);
  // Schemes of apps and extensions have no origin in the URL standard; browsers send them as written.
  return origin === "null" ? bare : origin;
}
