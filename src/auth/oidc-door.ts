import type { Audit } from "../audit/audit.ts";
import type { Config } from "../config.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock, Log } from "../system/deps.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import type { Proxies } from "./addresses.ts";
import { FailureLimit } from "./failure-limit.ts";
import { type Claims, IdentityFault, type IdentityProvider } from "./identity-provider.ts";
import type { BegunFlow, OidcFlows } from "./oidc-flows.ts";
import { mayLetIn, roleIn, userName } from "./oidc-roles.ts";
import { isSecure, originSeen } from "./public-origin.ts";
import type { Role, SignIns } from "./sign-ins.ts";

/** The path to which the issuer sends the browser back. */
const CALLBACK = "/state/oidc/callback";

/** Sign-ins to the dashboard by an issuer. Both methods throw `IdentityFault`. */
export interface OidcDoor {
  /** The issuer's host. */
  readonly issuer: string;
  /** The origin at which a sign-in has to begin; empty for the one that the browser uses. */
  readonly origin: string;
  /** Begins a sign-in that leads to a page of this server. Returns the address at the issuer and a `Set-Cookie` value. */
  begin(visit: Visit, to: string): Promise<{ readonly location: string; readonly cookie: string }>;
  /** Begins the same for somebody who lets a program in, which `resume` goes on with. */
  beginForProgram(visit: Visit, resume: string): Promise<{ readonly location: string; readonly cookie: string }>;
  /**
   * Completes the sign-in at the issuer to which a callback belongs. For an operator, begins one here and returns the page to open.
   * Somebody who lets a program in gets no sign-in.
   */
  finish(visit: Visit): Promise<OidcFinish>;
  /** Returns the value of `Set-Cookie` that removes the cookie of `begin`. */
  forget(visit: Visit): string;
}

/** How a sign-in at the issuer has ended. */
export type OidcFinish =
  | { readonly kind: "operator"; readonly to: string; readonly cookies: readonly string[] }
  | {
      readonly kind: "caller";
      readonly resume: string;
      readonly subject: string;
      readonly name: string;
      readonly cookies: readonly string[];
    };

export interface OidcDoorParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: IdentityProvider;
  readonly flows: OidcFlows;
  readonly signIns: SignIns;
  /** The owner that the sign-ins stand for: see `oidcOwner`. */
  readonly owner: string;
  readonly proxies: Proxies;
  readonly addressOf: (visit: Visit) => string | undefined;
  /** Returns the address under which failures are counted. */
  readonly bucketOf: (visit: Visit) => string;
  readonly audit?: Audit | undefined;
}

export function createOidcDoor(parts: OidcDoorParts): OidcDoor {
  const { config, clock, log, identity, flows, signIns, owner, proxies, addressOf, bucketOf, audit } = parts;
  // Anybody may begin a sign-in and call back with an invented code, which the server then checks with the issuer.
  const failures = new FailureLimit(config.authFailuresPerMinute, clock);
  const lines = new RepeatedLines({ clock, write: (fields) => log.warn("oidc.failed", fields) });
  const fail = (address: string | undefined, fault: IdentityFault): IdentityFault => {
    const { reason, detail } = fault;
    lines.note(`${address} ${reason}`, { address, reason, detail }, { reason });
    return fault;
  };
  const begin = async (visit: Visit, more: Pick<BegunFlow, "to" | "resume">) => {
    try {
      const redirectUri = `${config.publicUrl ?? originSeen(visit, proxies)}${CALLBACK}`;
      const { url, flow } = await identity.begin(redirectUri);
      return { location: url, cookie: flows.keep({ ...flow, redirectUri, ...more }, isSecure(visit, proxies)) };
    } catch (error) {
      throw error instanceof IdentityFault ? fail(addressOf(visit), error) : error;
    }
  };
  const check = async (visit: Visit): Promise<{ claims: Claims; role: Role | undefined } & BegunFlow> => {
    const flow = flows.find(visit.request);
    const { search = "", searchParams } = URL.parse(visit.request.url) ?? {};
    const states = searchParams?.getAll("state") ?? [];
    if (!flow || states.length !== 1 || states[0] !== flow.state) throw new IdentityFault("not_begun");
    const claims = await identity.finish(new URL(flow.redirectUri + search), flow, (some) =>
      flow.resume === undefined ? roleIn(some, config) !== undefined : mayLetIn(some, config),
    );
    const role = flow.resume === undefined ? roleIn(claims, config) : undefined;
    if (flow.resume === undefined && role === undefined) throw new IdentityFault("no_role", userName(claims));
    if (flow.resume !== undefined && !mayLetIn(claims, config)) throw new IdentityFault("no_caller", userName(claims));
    return { ...flow, claims, role };
  };
  return {
    issuer: identity.name,
    origin: config.publicUrl ?? "",
    begin: (visit, to) => begin(visit, { to }),
    beginForProgram: (visit, resume) => begin(visit, { to: "", resume }),
    async finish(visit) {
      const bucket = bucketOf(visit);
      // Bun forgets the address of a client that leaves while the issuer is asked.
      const address = addressOf(visit);
      if (failures.isFull(bucket))
        throw fail(address, new IdentityFault("busy", "too many failures from this address"));
      try {
        const { claims, role, to, resume } = await check(visit);
        const name = userName(claims);
        const secure = isSecure(visit, proxies);
        if (role === undefined || resume !== undefined) {
          const subject = String(claims["sub"] ?? "");
          return { kind: "caller", resume: resume ?? "", subject, name, cookies: [flows.end(secure)] };
        }
        audit?.note({ who: name, address, what: "sign_in", detail: { role } });
        log.info("operator.signed_in", { request: visit.requestId, caller: name, role, address });
        return { kind: "operator", to, cookies: [signIns.begin({ name, owner }, secure, role), flows.end(secure)] };
      } catch (error) {
        if (!(error instanceof IdentityFault)) throw error;
        if (error.reason === "used_code" || error.reason === "invalid") failures.count(bucket);
        throw fail(address, error);
      }
    },
    forget: (visit) => flows.end(isSecure(visit, proxies)),
  };
}
