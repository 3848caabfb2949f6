import { BlockList, isIP } from "node:net";
import { isThisMachine } from "../system/loopback.ts";

/** The proxies of the environment, for what this machine asks of others. */
export interface ProxySettings {
  /** For `https` and `wss` URLs: an `http` or `https` URL, which may contain a user name and a password. */
  readonly httpsProxy: string | undefined;
  /** The same for `http` and `ws` URLs. */
  readonly httpProxy: string | undefined;
  /** Hosts that are reached directly, in the form of `NO_PROXY`. */
  readonly noProxy: string | undefined;
}

/** Returns the proxy for a URL, or false for none, which is what `fetch` takes. Its result contains the proxy's password. */
export type ProxyChoice = (url: string) => string | false;

/** Chooses no proxy. */
export const noProxy: ProxyChoice = () => false;

/**
 * Creates the choice of a proxy for each URL. Nothing on this machine is ever reached through one: a proxy elsewhere would
 * look for it on its own machine, and would see prompts and keys that were not meant to leave this one.
 */
export function createProxyChoice({ httpsProxy, httpProxy, noProxy: spared }: ProxySettings): ProxyChoice {
  if (httpsProxy === undefined && httpProxy === undefined) return noProxy;
  const isSpared = createNoProxy(spared ?? "");
  return (text) => {
    const url = new URL(text);
    const isTls = url.protocol === "https:" || url.protocol === "wss:";
    const proxy = isTls ? httpsProxy : httpProxy;
    if (proxy === undefined || isThisMachine(url.hostname)) return false;
    return isSpared(bareHost(url.hostname), Number(url.port) || (isTls ? 443 : 80)) ? false : proxy;
  };
}

/** Returns a proxy as logs and messages show it: without user name and password. */
export function shownProxy(proxy: string): string {
  return new URL(proxy).origin;
}

/** Reads the URL of a proxy; without a scheme it is `http`. Returns undefined for any other scheme, such as `socks5`. */
export function parseProxyUrl(text: string): string | undefined {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.parse(full);
  if (!url || /\s/.test(text) || url.hostname === "" || url.search !== "" || url.hash !== "") return undefined;
  return (url.protocol === "http:" || url.protocol === "https:") && url.pathname === "/" ? url.href : undefined;
}

/**
 * Adds the proxy variables under the names of the settings. Programs read them in lower and in upper case, and take
 * `ALL_PROXY` where there is none for a scheme; the lower case wins, as in curl and Go.
 */
export function withProxyVariables(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const read = (name: string): string | undefined => env[name.toLowerCase()]?.trim() || env[name]?.trim() || undefined;
  const all = read("ALL_PROXY");
  // It often names a SOCKS proxy, for other programs.
  const shared = all !== undefined && parseProxyUrl(all) !== undefined ? all : undefined;
  const own = { HTTPS_PROXY: read("HTTPS_PROXY") ?? shared, HTTP_PROXY: read("HTTP_PROXY") ?? shared };
  return { ...env, ...own, NO_PROXY: read("NO_PROXY") };
}

/**
 * Reads `NO_PROXY` as curl and Go do: host names with their subdomains (with or without a leading dot or `*.`), addresses,
 * CIDR ranges, each with a port or for all ports, and `*` for everything. Items that are none of these match nothing.
 */
function createNoProxy(text: string): (host: string, port: number) => boolean {
  const items = text
    .split(/[\s,]+/)
    .filter((item) => item !== "")
    .map(parseItem);
  return (host, port) => items.some((item) => (item.port === undefined || item.port === port) && item.matches(host));
}

interface NoProxyItem {
  readonly port: number | undefined;
  matches(host: string): boolean;
}

function parseItem(text: string): NoProxyItem {
  if (text === "*") return { port: undefined, matches: () => true };
  // A port follows a name, an IPv4 address, or an IPv6 address in brackets.
  const [, named, digits] = /^(\[[^\]]*\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  const host = bareHost((named ?? text).toLowerCase().replace(/^\[(.*)\](\/\d+)$/, "$1$2"));
  const [address = "", prefix] = host.split("/");
  if (isIP(address) !== 0) return { port, matches: createRange(address, prefix) };
  const name = host.replace(/^\*?\./, "").replace(/\.$/, "");
  return { port, matches: (other) => name !== "" && (other === name || other.endsWith(`.${name}`)) };
}

function createRange(address: string, prefix: string | undefined): (host: string) => boolean {
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  const range = new BlockList();
  const bits = prefix === undefined ? (family === "ipv4" ? 32 : 128) : Number(prefix);
  try {
    range.addSubnet(address, bits, family);
  } catch {
    return () => false; // The prefix is no number, or too long.
  }
  return (host) => isIP(host) !== 0 && range.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}

/** Returns a host name without the brackets of an IPv6 address and without a final dot. */
function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}
