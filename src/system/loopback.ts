/** Returns whether a listener's address or a URL's host name is a loopback one, which no other machine can reach. */
export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

/**
 * Returns whether a URL's host name is this machine: a loopback name, or an address that stands for all of its addresses.
 */
export function isThisMachine(name: string): boolean {
  return LOOPBACK.test(name) || OTHER_FORMS.test(name) || /\.localhost\.?$/.test(name);
}

/** Returns the host of a URL at which this machine reaches a listener; for "every interface" that is the loopback. */
export function reachableHost(address: string): string {
  if (address === "0.0.0.0" || address === "::") return "127.0.0.1";
  return address.includes(":") ? `[${address}]` : address;
}

/** The addresses for listening everywhere, which a connection takes for the loopback; and the loopback as mapped IPv4. */
const OTHER_FORMS = /^(?:0\.0\.0\.0|\[?::\]?|\[?::ffff:7f[\da-f]{2}:[\da-f]{1,4}\]?)$/;

/** In lower case, as `URL.hostname` has it: names also with a final dot, an IPv6 address with or without brackets. */
const LOOPBACK = /^(?:localhost\.?|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;
