/**
 * Request headers that identify or authorize somebody, at this server or at a proxy in front of it, in lower case. Workers never
 * get them, and none of them may name an end user: a secret would then count as a person.
 */
export const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
  "x-user-roles",
]);
