/**
 * The token in an `Authorization` header of the Bearer scheme (RFC 6750), whose name may be in any case. Undefined for no
 * header, another scheme, or more than one word behind it.
 */
export function bearerIn(header: string | null | undefined): string | undefined {
  return header === null || header === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(header)?.[1];
}
