/** Returns whether a listener's address or a URL's host name is a loopback one, which no other machine can reach. */
export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

/** In lower case, as `URL.hostname` has it; an IPv6 address with or without brackets. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;
