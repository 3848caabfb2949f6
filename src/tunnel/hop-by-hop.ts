/**
 * Headers of one connection, not of the message (RFC 9110 §7.6.1, and those that proxies have always kept to
 * themselves): neither end of the tunnel passes them on, in either direction.
 */
export const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
