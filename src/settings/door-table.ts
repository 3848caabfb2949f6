import { isLine, KEY, list, parsed } from "./kinds.ts";
import { claimRules, issuer, oneLine } from "./oidc.ts";
import { type Kind, type Table, unset } from "./setting.ts";

const keys: Kind<readonly string[]> = list(
  parsed((text) => (KEY.test(text) ? text : undefined)),
  { placeholder: "key,…", accepts: "keys of visible ASCII characters without blanks, comma separated" },
);

const roles: Kind<readonly string[]> = list(
  parsed((text) => (isLine(text, 256) ? text : undefined)),
  { placeholder: "role,…", accepts: "role names, comma separated" },
);

/** Who may enter: the keys and roles of clients, workers and operators, and the issuer through which operators sign in. */
export const doorTable = {
  apiKeys: unset(keys, { variable: "API_KEY", absent: [], isSecret: true, help: "Keys that clients may use." }),
  clientKeys: unset(keys, { variable: "CLIENT_KEY", absent: [], isSecret: true, help: "Keys that workers may use." }),
  adminKeys: unset(keys, {
    variable: "ADMIN_KEY",
    absent: [],
    isSecret: true,
    says: "not set; operators then use API keys, unless ADMIN_HTTP_ROLES or OIDC_ISSUER is set",
    help: "Keys of operators: they open the dashboard, the State API and its actions, which API keys and roles then no longer open.",
  }),
  apiRoles: unset(roles, {
    variable: "API_HTTP_ROLES",
    absent: [],
    help: "Roles that admit a client if a trusted proxy sends them in X-User-Roles.",
  }),
  clientRoles: unset(roles, {
    variable: "CLIENT_HTTP_ROLES",
    absent: [],
    help: "Roles that admit a worker if a trusted proxy sends them in X-User-Roles.",
  }),
  adminRoles: unset(roles, {
    variable: "ADMIN_HTTP_ROLES",
    absent: [],
    says: "not set; operators then use API roles, unless ADMIN_KEY or OIDC_ISSUER is set",
    help: "Roles of operators, which open what ADMIN_KEY opens if a trusted proxy sends them in X-User-Roles. API keys and roles then no longer open it.",
  }),
  oidcIssuer: unset(issuer, {
    variable: "OIDC_ISSUER",
    absent: undefined,
    help: "URL of an OpenID Connect issuer through which operators sign in to the dashboard, beside ADMIN_KEY. API keys and roles then no longer open it. Its client needs the redirect URI /state/oidc/callback below the URL of this server.",
  }),
  oidcClientId: unset(oneLine, {
    variable: "OIDC_CLIENT_ID",
    needs: "OIDC_ISSUER",
    absent: undefined,
    help: "Id under which the issuer knows this server.",
  }),
  oidcClientSecret: unset(oneLine, {
    variable: "OIDC_CLIENT_SECRET",
    needs: "OIDC_ISSUER",
    absent: undefined,
    isSecret: true,
    says: "not set; the server is then a public client of the issuer, and without DATA_DIR its sign-ins end with it",
    help: "Secret that the issuer has given to this server.",
  }),
  oidcAdminClaims: unset(claimRules, {
    variable: "OIDC_ADMIN_CLAIM",
    needs: "OIDC_ISSUER",
    absent: [],
    help: "Claims of the issuer's users who may act as operators. One of them is enough.",
  }),
  oidcViewerClaims: unset(claimRules, {
    variable: "OIDC_VIEWER_CLAIM",
    needs: "OIDC_ISSUER",
    absent: [],
    help: "Claims of the issuer's users who may see the dashboard and the State API, but not act. One of them is enough.",
  }),
  oidcCallerClaims: unset(claimRules, {
    variable: "OIDC_CALLER_CLAIM",
    needs: "OIDC_ISSUER",
    absent: [],
    says: "not set; then only keys let programs use MCP servers",
    help: "Claims of the issuer's users who may let programs use MCP servers whose relays run with --access connector. One of them is enough. Such programs may use everything of these servers.",
  }),
} as const satisfies Table;
