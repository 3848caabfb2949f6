import type { Caller, CallerClass } from "../auth/caller.ts";
import { Fault } from "../errors.ts";
import { CLASSES, lowerOf } from "../pool/urgency.ts";
import type { EndUsers } from "./end-users.ts";

/** The end user and the urgency of a job: with its caller, they decide its place in the queue. */
export interface Standing {
  /** The caller's class, or a less urgent one that the request asked for. */
  readonly class: CallerClass;
  /** The digest of the end user, who shares the caller's turns with others; undefined if the request names none. */
  readonly endUser: string | undefined;
}

/** The fields of a JSON request. */
type Fields = Readonly<Record<string, unknown>>;

const PRIORITY_HEADER = "x-moorage-priority";

/** Fields that name the end user in OpenAI's API: the current one, and its predecessor, which LibreChat sends. */
const END_USER_FIELDS = ["safety_identifier", "user"] as const;

const NO_FIELDS: Fields = {};

/** Reads the end user and the urgency of requests. */
export class Standings {
  readonly #endUserHeaders: readonly string[];
  readonly #endUsers: EndUsers;

  /** `endUserHeaders` are names in lower case; without any, end users are not told apart. */
  constructor(endUserHeaders: readonly string[], endUsers: EndUsers) {
    this.#endUserHeaders = endUserHeaders;
    this.#endUsers = endUsers;
  }

  /** Returns the standing of a request. `fields` are those of a JSON body. Throws `invalid_request` for a wrong priority. */
  of(caller: Caller, headers: Headers, fields: Fields = NO_FIELDS): Standing {
    const name = this.#endUserOf(caller, headers, fields);
    return {
      class: classFor(caller.class, headers.get(PRIORITY_HEADER), fields["service_tier"]),
      endUser: name === undefined ? undefined : this.#endUsers.digestOf(caller, name),
    };
  }

  #endUserOf({ userHeader }: Caller, headers: Headers, fields: Fields): string | undefined {
    // A key that names a header has said where the end user is, so nothing else counts for it.
    if (userHeader !== undefined) return headers.get(userHeader)?.trim() || undefined;
    return this.#endUserHeaders.length === 0 ? undefined : this.#endUserIn(headers, fields);
  }

  #endUserIn(headers: Headers, fields: Fields): string | undefined {
    for (const name of this.#endUserHeaders) {
      const value = headers.get(name)?.trim();
      if (value) return value;
    }
    for (const name of END_USER_FIELDS) {
      const value = fields[name];
      if (typeof value === "string" && value !== "") return value;
    }
    return undefined;
  }
}

/** Returns the least urgent of the caller's class and what the request asks for. Other tiers than `flex` change nothing. */
function classFor(own: CallerClass, priority: string | null, tier: unknown): CallerClass {
  const written = priority?.trim().toLowerCase();
  const asked = written ? toClass(written) : own;
  return lowerOf(lowerOf(own, asked), tier === "flex" ? "background" : own);
}

function toClass(written: string): CallerClass {
  const found = CLASSES.find((each) => each === written);
  if (found) return found;
  throw new Fault("invalid_request", {
    message: `'${PRIORITY_HEADER}' must be interactive, normal or background.`,
    param: PRIORITY_HEADER,
  });
}
